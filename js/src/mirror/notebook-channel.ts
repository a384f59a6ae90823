/** Channel of a notebook's page to the engine in it: as in a static page, but the kernel records another page's session. */

import type { ReadonlySignal } from "@preact/signals";
import type { Pace } from "../channel/messages";
import { EngineChannel, type EngineChannelOptions } from "../page/engine-channel";
import type { Load } from "../page/loading";
import { dismissProblem, showProblem } from "../store/store";
import type { Delivery, Mirror } from "./mirror";

const ELSEWHERE = {
  code: "busy_elsewhere",
  sentence:
    "Another page of this widget records now, so the kernel no longer takes the session of this page.",
  wayOut: "Save it here if you need it. Record begins a new session here, which the kernel takes.",
};

export class NotebookChannel extends EngineChannel {
  constructor(
    load: Load,
    private readonly mirror: Mirror,
    options: Omit<EngineChannelOptions, "follower">,
  ) {
    super(load, { ...options, follower: mirror });
  }

  get delivery(): ReadonlySignal<Delivery> {
    return this.mirror.delivery;
  }

  override async record(): Promise<void> {
    await this.#takeOver();
    await super.record();
  }

  override async playFile(file: File, pace: Pace): Promise<void> {
    await this.#takeOver();
    await super.playFile(file, pace);
  }

  /** End the recording: the kernel records another page. */
  elsewhere(): void {
    this.mirror.takenOver();
    this.input.end("error");
    showProblem(this.store, ELSEWHERE);
  }

  /** Begin a new session where the kernel takes no more of this one. */
  async #takeOver(): Promise<void> {
    if (!this.mirror.elsewhere) return;
    dismissProblem(this.store, ELSEWHERE.code);
    await this.reset();
  }
}
