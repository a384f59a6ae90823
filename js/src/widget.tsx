/**
 * The anywidget front-end module. Its default export is a function: the host calls it once per model, so its
 * variables belong to that model. (The `model` objects given to `initialize` and `render` are different proxies.)
 */

import { render as renderTree } from "preact";
import { App } from "./app";
import type { KernelModel } from "./channel/link";
import { Conversation } from "./conversation";
import { hideTranscript } from "./host/transcript-output";
import { createView } from "./view";

interface InitializeProps {
  model: KernelModel;
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

export default function createWidget() {
  let conversation: Conversation | null = null;

  function begin(model: KernelModel): Conversation {
    const begun = new Conversation(model);
    conversation = begun;
    begun.start();
    return begun;
  }

  return {
    /** Start everything, once per model, without waiting: hosts give up after two seconds. */
    initialize({ model, signal }: InitializeProps): () => void {
      const begun = begin(model);
      const end = once(() => {
        begun.end();
        if (conversation === begun) conversation = null;
      });
      signal?.addEventListener("abort", end);
      return end;
    },

    /** Render a view into its part of the page. */
    render({ model, el, signal }: RenderProps): () => void {
      const shared = conversation ?? begin(model);
      shared.attachView();
      const show = hideTranscript(model, el);
      renderTree(<App view={createView(shared)} />, el);
      const remove = once(() => {
        renderTree(null, el);
        show();
        shared.detachView();
      });
      signal?.addEventListener("abort", remove);
      return remove;
    },
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
