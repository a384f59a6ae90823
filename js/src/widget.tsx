/**
 * The anywidget front-end module. Its default export is a function: the host calls it once per model, so what it
 * closes over belongs to that model. (The `model` objects given to `initialize` and `render` are different proxies.)
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
    /** Once per model. Starts everything and waits for nothing: hosts give up after two seconds. */
    initialize({ model, signal }: InitializeProps): () => void {
      const begun = begin(model);
      const end = once(() => {
        begun.end();
        if (conversation === begun) conversation = null;
      });
      signal?.addEventListener("abort", end);
      return end;
    },

    /** Once per view. Owns its part of the page and nothing else. */
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

/** Hosts may both abort the signal and call the returned function. */
function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
