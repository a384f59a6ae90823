/**
 * One widget with the engine in the notebook's page: joins the connection to the kernel, the engine's files, the channel
 * that the views use, and the delivery to the kernel's record.
 */
import type { CaptureHost } from "../capture/host";
import { KernelLink, type KernelModel, pageName } from "../channel/link";
import type { BrowserMessage, EngineAction, KernelMessage } from "../channel/messages";
import type { Buffers } from "../channel/payload";
import { readModelInfo } from "../channel/reading";
import type { SettingsChange } from "../engine/engine";
import type { Load } from "../page/loading";
import { recordOfHistory } from "../record/saved";
import { KERNEL_LOST, kernelProblem, type Problem } from "../store/problem";
import { readLive, readSettings } from "../store/settings";
import { dismissProblem, type Store, showProblem, showSaved } from "../store/store";
import { engineLoad } from "./engine-files";
import type { FileCache } from "./file-cache";
import { HeldClips } from "./held-clips";
import { KernelFiles } from "./kernel-files";
import { KernelRecord } from "./kernel-record";
import { leavePage, leftPages } from "./left-pages";
import { Mirror } from "./mirror";
import { NotebookChannel } from "./notebook-channel";

const KERNEL_GONE: Problem = {
  code: KERNEL_LOST.code,
  sentence:
    "The kernel was restarted or is gone. The model goes on in this page, but the kernel records nothing.",
  wayOut: "Save the session here; then run the cell again.",
};
const BACK: Problem = {
  code: "reconnected",
  sentence: "The connection to the kernel is restored.",
  wayOut: "It takes what it has missed.",
  calm: true,
};
const DISCARDED: Problem = {
  code: "discarded",
  sentence: "A session of this page was discarded before the kernel took all of it.",
  wayOut: "The kernel takes the newer ones when it is free.",
};

export interface NotebookPageOptions {
  captureHost?: CaptureHost;
  cache?: FileCache;
  /** Loads the engine; by default with the kernel's files. */
  load?: (files: KernelFiles) => Load;
}

export class NotebookPage {
  readonly channel: NotebookChannel;
  readonly #link: KernelLink;
  readonly #files: KernelFiles;
  readonly #clips: HeldClips;
  readonly #mirror: Mirror;
  readonly #record: KernelRecord;
  /** Pages that this tab has shown before. */
  readonly #left = leftPages();
  #started: Promise<void> = Promise.resolve();

  constructor(
    private readonly model: KernelModel,
    options: NotebookPageOptions = {},
  ) {
    const page = pageName();
    const post = (message: BrowserMessage, payload?: Float32Array) => this.#link.send(message, payload);
    this.#files = new KernelFiles({ page, post, ...(options.cache ? { cache: options.cache } : {}) });
    this.#clips = new HeldClips(this.#files);
    this.#mirror = new Mirror({
      ...{ page, post, live: () => this.channel.store.live.value },
      refused: (sentence) => showProblem(this.channel.store, refusal(sentence)),
      discarded: () => showProblem(this.channel.store, DISCARDED),
    });
    this.channel = new NotebookChannel((options.load ?? engineLoad)(this.#files), this.#mirror, {
      clip: (name) => this.#clips.read(name),
      settings: () => (readSettings(model.get("settings")) ?? {}) as SettingsChange,
      wayOut: 'Reload the page to try it again, or use AudioInteraction(engine="kernel").',
      ...(options.captureHost ? { captureHost: options.captureHost } : {}),
    });
    const { store } = this.channel;
    this.#record = new KernelRecord(store, {
      ...{ page, post },
      open: (file) => void this.#started.then(() => this.#showRecord(file)),
    });
    this.#link = new KernelLink(model, page, {
      // The kernel sends no events to this page: it has them, or opens the record.
      seen: () => 0,
      session: () => null,
      busy: () => this.#mirror.busy || this.#files.busy || this.#record.busy || store.line.value !== "ready",
      receive: (message, buffers) => this.#receive(message, buffers),
      waiting: () => {
        if (store.line.value === "connecting") store.line.value = "waiting";
      },
      lost: () => this.#lost(),
      // Before its first answer the kernel gets the microphone's states only.
      overfull: () => {},
    });
  }

  /** Start the connection and the engine without waiting. */
  start(): void {
    const { store } = this.channel;
    const live = readLive(this.model.get("live"));
    if (live) store.live.value = livesHere(live);
    const saved = recordOfHistory(this.model.get("history"));
    if (saved) showSaved(store, saved);
    this.#readModel(this.model.get("model_info"));
    globalThis.addEventListener?.("beforeunload", this.#onLeave);
    globalThis.addEventListener?.("pagehide", this.#onPageHide);
    this.#link.start();
    this.#started = this.channel.start();
    void this.#started.then(() => {
      if (this.channel.ready) return this.#clips.fetch();
    });
  }

  /** Release everything after the model was closed. */
  end(): void {
    globalThis.removeEventListener?.("beforeunload", this.#onLeave);
    globalThis.removeEventListener?.("pagehide", this.#onPageHide);
    this.#mirror.end();
    this.#files.end();
    this.#record.end();
    this.#link.end();
    void this.channel.end();
  }

  attachView(): void {
    this.channel.attachView();
  }

  detachView(): void {
    this.channel.detachView();
  }

  #receive(message: KernelMessage, buffers: Buffers): void {
    const { channel } = this;
    const to = "page" in message ? (message.page ?? "") : "";
    const asked = message.type === "engine_control" || message.type === "engine_set";
    if (to !== "" && to !== this.#link.page && !(asked && this.#left.includes(to))) return;
    switch (message.type) {
      case "welcome":
        this.#welcome(message.first ?? 0);
        break;
      case "model":
        this.#readModel(message);
        break;
      case "engine_files":
        this.#files.offer(message.files);
        break;
      case "engine_part":
        this.#files.part(message, buffers);
        break;
      case "engine_taken":
        this.#mirror.taken(message);
        break;
      case "engine_control":
        this.#control(message.action, to !== "");
        break;
      case "engine_set":
        channel.set({ ...message.changes });
        break;
      case "engine_elsewhere":
        channel.elsewhere();
        break;
      case "saved":
        this.#record.saved(message);
        break;
      case "part":
        this.#record.part(message, buffers);
        break;
      case "problem":
        // That the model cannot be loaded is told as such.
        if (message.code === "model" && !channel.ready) break;
        showProblem(
          channel.store,
          kernelProblem(
            message.code,
            message.message,
            message.detail ? String(message.detail) : "",
            message.times,
          ),
        );
        break;
    }
  }

  #welcome(recorded: number): void {
    const { store } = this.channel;
    if (store.problems.value.some(({ code }) => code === KERNEL_LOST.code)) {
      dismissProblem(store, KERNEL_LOST.code);
      showProblem(store, BACK);
    }
    if (store.line.value === "lost" || store.line.value === "waiting") this.#lineBack(store);
    this.#mirror.connected();
    if (recorded > 0 && !this.#mirror.used) this.#record.fetch();
  }

  /** Have the browser ask before it leaves a page whose session the kernel lacks. */
  readonly #onLeave = (event: Event): void => {
    if (this.#mirror.behind) event.preventDefault();
  };

  readonly #onPageHide = (event: Event): void => {
    // A page that the browser keeps may come back.
    if (!(event as PageTransitionEvent).persisted) leavePage(this.#link.page);
  };

  /** Show the kernel's record, unless something was heard here meanwhile. */
  #showRecord(file: File): void {
    if (!this.#mirror.used && !this.channel.running) this.channel.recordings.open(file);
  }

  #lineBack(store: Store): void {
    store.line.value = this.channel.ready ? "ready" : "connecting";
  }

  #lost(): void {
    const { store, ready } = this.channel;
    this.#mirror.disconnected();
    this.#record.interrupt();
    if (!ready) store.line.value = "lost";
    showProblem(store, ready ? KERNEL_GONE : KERNEL_LOST);
  }

  /** Take how far the kernel is with the model that it exports. */
  #readModel(value: unknown): void {
    const info = readModelInfo(value);
    const { store, ready } = this.channel;
    if (!info || ready) return;
    if (info.status === "failed") this.#files.fail(typeof info.detail === "string" ? info.detail : info.name);
    // The kernel has a model that is ready before this page has it.
    else
      store.model.value = {
        ...info,
        status: "loading",
        detail: info.status === "loading" ? info.detail : "",
      };
  }

  /** Do what Python asks of the session; `owner` says whether the kernel has one of this page, or of the one before. */
  #control(action: EngineAction, owner: boolean): void {
    const { channel } = this;
    if (action === "interrupt") channel.interrupt();
    else if (action === "reset") {
      if (owner) this.#mirror.claim();
      void channel.reset();
    } else if (action === "step") {
      if (channel.store.loop.value.mode !== "step") channel.loop("step");
      channel.step();
    } else channel.loop(action);
  }
}

/** Return live settings as the page can follow them: it drops no chunk that is queued, it falls behind. */
function livesHere(live: Store["live"]["value"]): Store["live"]["value"] {
  return live.overload === "drop_oldest" ? { ...live, overload: "lag" } : live;
}

function refusal(sentence: string): Problem {
  return {
    code: "engine_refused",
    sentence: `The kernel takes no more of this session: ${sentence}`,
    wayOut: "The page goes on. Save the session here, or press Reset for a new one.",
  };
}
