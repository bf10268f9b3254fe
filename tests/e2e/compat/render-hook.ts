import { Window } from 'happy-dom';
import { createElement } from 'react';
import type { Root } from 'react-dom/client';

export interface Rendered<T> {
  /** What the hook returned last. */
  readonly current: T;
  unmount(): void;
}

/** Runs a hook in a component of a real React tree; the document is happy-dom's, everything else is Node's. */
export async function renderHook<T>(hook: () => T): Promise<Rendered<T>> {
  const window = openWindow();
  // React looks for the document when it is loaded.
  const { createRoot } = await import('react-dom/client');
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: T[] = [];
  const Component = (): null => {
    seen[0] = hook();
    resolve();
    return null;
  };
  const root: Root = createRoot(window.document.createElement('div') as unknown as Element);
  root.render(createElement(Component));
  await promise;
  return {
    get current() {
      const [last] = seen;
      if (last === undefined) throw new Error('the hook has not run');
      return last;
    },
    unmount: () => root.unmount(),
  };
}

const opened: Window[] = [];

function openWindow(): Window {
  const [known] = opened;
  if (known !== undefined) return known;
  const window = new Window();
  opened.push(window);
  Object.defineProperty(globalThis, 'window', { value: window, configurable: true });
  Object.defineProperty(globalThis, 'document', { value: window.document, configurable: true });
  return window;
}
