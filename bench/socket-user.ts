import { subprotocol } from '@netra/contract';
import { WebSocket } from 'ws';

interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly run?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface RunTimes {
  readonly run: string;
  readonly accepted_ms: number;
  /** From the frame that asked to the first event. */
  readonly first_event_ms: number;
  readonly complete_ms: number;
}

/** A user with one socket who runs the rehearsal agent, one run after the other. */
export class SocketUser {
  readonly #ws: WebSocket;
  #onFrame: (frame: Frame) => void = () => undefined;
  #onClose: (code: number) => void = () => undefined;
  #next = 1;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.setMaxListeners(0);
    ws.on('close', (code: number) => this.#onClose(code));
    ws.on('message', (data: Buffer) => this.#onFrame(JSON.parse(data.toString()) as Frame));
  }

  static async connect(url: string, token: string): Promise<SocketUser> {
    const ws = new WebSocket(url, subprotocol, { perMessageDeflate: false });
    const user = new SocketUser(ws);
    await new Promise<void>((resolve, reject) => {
      ws.once('error', reject);
      user.#onClose = (code) => reject(new Error(`closed with ${code}`));
      ws.once('open', () => ws.send(JSON.stringify({ type: 'hello', token })));
      user.#onFrame = ({ type, message }) => (type === 'ready' ? resolve() : reject(new Error(message ?? type)));
    });
    return user;
  }

  /** Resolves when the run's terminal event was followed by `end`. Rejects on any error frame, and if the socket is closed. */
  run(input: unknown): Promise<RunTimes> {
    const id = this.#next;
    this.#next += 1;
    const started = performance.now();
    let accepted_ms = 0;
    let first_event_ms = 0;
    let run = '';
    return new Promise((resolve, reject) => {
      this.#onClose = (code) => reject(new Error(`closed with ${code}`));
      this.#onFrame = (frame) => {
        const elapsed_ms = performance.now() - started;
        if (frame.type === 'accepted') {
          accepted_ms = elapsed_ms;
          run = frame.run ?? '';
          this.#send({ type: 'subscribe', id: id + 1_000_000, run, after: 0 });
        } else if (frame.type === 'agent_started') {
          first_event_ms = elapsed_ms;
        } else if (frame.type === 'end') {
          resolve({ run, accepted_ms, first_event_ms, complete_ms: elapsed_ms });
        } else if (frame.type === 'error' || frame.type === 'agent_failed') {
          reject(new Error(`${frame.code ?? frame.type}: ${frame.message ?? ''}`));
        }
      };
      this.#send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: `${id}-${Math.random()}` });
    });
  }

  /** Asks for a run and does not follow it: its id, once it is accepted. */
  start(input: unknown): Promise<string> {
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#ws.on('message', function accepted(this: WebSocket, data: Buffer) {
        const frame = JSON.parse(data.toString()) as Frame;
        if (frame.id !== id) return;
        this.off('message', accepted);
        if (frame.run === undefined) reject(new Error(`${frame.code ?? frame.type}: ${frame.message ?? ''}`));
        else resolve(frame.run);
      });
      this.#send({ type: 'run', id, agent: 'rehearsal', input, idempotency_key: `${id}-${Math.random()}` });
    });
  }

  close(): void {
    this.#ws.terminate();
  }

  #send(frame: object): void {
    this.#ws.send(JSON.stringify(frame));
  }
}
