/**
 * Front-end module of anywidget. The host calls its function once per model, so its variables belong to that model. (The
 * `model` objects given to `initialize` and `render` are different proxies.)
 */

import { render as renderTree, type VNode } from "preact";
import type { KernelModel } from "./channel/link";
import { hideTranscript } from "./host/transcript-output";

interface InitializeProps {
  model: KernelModel;
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

/** What all views of a model share. */
interface Shared {
  start(): void;
  end(): void;
  /** Count the views that are shown. */
  attachView(): void;
  detachView(): void;
}

/** Return the module's function, of what is begun once per model and drawn once per view. */
export function frontEnd<S extends Shared>(make: (model: KernelModel) => S, draw: (shared: S) => VNode) {
  return function createWidget() {
    let shared: S | null = null;

    function begin(model: KernelModel): S {
      const begun = make(model);
      shared = begun;
      begun.start();
      return begun;
    }

    return {
      /** Start everything, once per model, without waiting: hosts give up after two seconds. */
      initialize({ model, signal }: InitializeProps): () => void {
        const begun = begin(model);
        const end = once(() => {
          begun.end();
          if (shared === begun) shared = null;
        });
        signal?.addEventListener("abort", end);
        return end;
      },

      /** Render a view into its part of the page. */
      render({ model, el, signal }: RenderProps): () => void {
        const shown = shared ?? begin(model);
        shown.attachView();
        const show = hideTranscript(model, el);
        renderTree(draw(shown), el);
        const remove = once(() => {
          renderTree(null, el);
          show();
          shown.detachView();
        });
        signal?.addEventListener("abort", remove);
        return remove;
      },
    };
  };
}

/** Run an action once: hosts may both abort the signal and call the returned function. */
function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
