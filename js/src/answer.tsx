/** The anywidget front-end module of `AnswerView`: the kernel's trait `answer` drawn, and the page's requests sent. */
import { signal } from "@preact/signals";
import { render as renderTree } from "preact";
import type { KernelModel } from "./channel/link";
import type { Answered, AnswerRequest } from "./channel/messages";
import { base64 } from "./channel/payload";
import { AnswerPanel } from "./panels/answer-panel";

const UNTOLD: Answered = {
  ...{ state: "loading", model: "", heard: "", asked: "", tokens: [] },
  ...{ emotion: "", ended: "", notes: [], problem: "" },
};

export default {
  render({ model, el }: { model: KernelModel; el: HTMLElement }): () => void {
    const told = (): Answered => ({ ...UNTOLD, ...(model.get("answer") as Partial<Answered> | undefined) });
    const answer = signal(told());
    const changed = () => {
      answer.value = told();
    };
    const send = (message: AnswerRequest) => model.send(message);
    const ask = async (source: string | File, text: string) => {
      const named = { type: "ask", text } as const;
      if (typeof source === "string") return send({ ...named, clip: source, name: "", data: "" });
      // As base64 in every host: some drop binary buffers.
      send({ ...named, clip: "", name: source.name, data: base64(await source.arrayBuffer()) });
    };
    model.on("change:answer", changed);
    renderTree(<AnswerPanel answer={answer} ask={ask} cancel={() => send({ type: "cancel" })} />, el);
    return () => {
      model.off("change:answer", changed);
      renderTree(null, el);
    };
  },
};
