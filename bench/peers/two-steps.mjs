import { setTimeout as sleep } from 'node:timers/promises';
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';

/** The peer's shape of the rehearsal agent: two steps, each of which lasts `step_ms`. */
const State = Annotation.Root({
  step_ms: Annotation(),
  steps: Annotation({ reducer: (before, more) => before + more, default: () => 0 }),
});

async function step({ step_ms }) {
  if (step_ms > 0) await sleep(step_ms);
  return { steps: 1 };
}

export const graph = new StateGraph(State)
  .addNode('first', step)
  .addNode('second', step)
  .addEdge(START, 'first')
  .addEdge('first', 'second')
  .addEdge('second', END)
  .compile();
