/** Tap that takes blocks of samples from an audio graph: an AudioWorklet, or a ScriptProcessor where there is none. */
import workletSource from "./blocks.worklet.js";

export interface Block {
  samples: Float32Array;
  /** Audio-clock time of the first sample. */
  time_s: number;
  /** Wall-clock time of the last sample, in Unix ms. */
  captured_ms: number;
}

export type OnBlock = (block: Block) => void;

export interface Tap {
  readonly degraded: boolean;
  connect(source: AudioNode): void;
  /** Deliver the last, partial block; resolves when it was delivered, or after a timeout. */
  flush(): Promise<void>;
  close(): void;
}

/** Timeout of the audio thread's last block, in milliseconds. */
const FLUSH_MS = 300;
/** Samples per call of a ScriptProcessor: a power of two, about 85 ms at 48 kHz. */
const SCRIPT_BLOCK = 4096;

export async function openTap(context: AudioContext, onBlock: OnBlock): Promise<Tap> {
  try {
    return await openWorklet(context, onBlock);
  } catch (error) {
    if (context.state === "closed") throw error;
    return openScriptProcessor(context, onBlock);
  }
}

async function openWorklet(context: AudioContext, onBlock: OnBlock): Promise<Tap> {
  const address = URL.createObjectURL(new Blob([workletSource], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(address);
  } finally {
    URL.revokeObjectURL(address);
  }
  const node = new AudioWorkletNode(context, "aiw-block-cutter", { numberOfInputs: 1, numberOfOutputs: 1 });
  let flushed = () => {};
  node.port.onmessage = ({ data }) => {
    if (data.flushed) flushed();
    else onBlock({ samples: data.samples, time_s: data.time, captured_ms: data.at });
  };
  // The processor's output is silence; without a destination some browsers never run it.
  node.connect(context.destination);
  return {
    degraded: false,
    connect: (source) => source.connect(node),
    flush: () =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, FLUSH_MS);
        flushed = () => {
          clearTimeout(timer);
          resolve();
        };
        node.port.postMessage("flush");
      }),
    close: () => {
      node.port.onmessage = null;
      node.disconnect();
    },
  };
}

function openScriptProcessor(context: AudioContext, onBlock: OnBlock): Tap {
  const node = context.createScriptProcessor(SCRIPT_BLOCK, 1, 1);
  node.onaudioprocess = ({ inputBuffer, playbackTime }) => {
    onBlock({
      samples: inputBuffer.getChannelData(0).slice(),
      time_s: playbackTime,
      captured_ms: Date.now(),
    });
  };
  node.connect(context.destination);
  return {
    degraded: true,
    connect: (source) => source.connect(node),
    flush: () => Promise.resolve(),
    close: () => {
      node.onaudioprocess = null;
      node.disconnect();
    },
  };
}
