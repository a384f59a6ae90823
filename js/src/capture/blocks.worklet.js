// Runs on the audio thread. Cuts the input into mono blocks of about 100 ms, each with the audio-clock time of its
// first sample and the wall-clock time of its last. Where the source delivers nothing for a quantum, silence is
// inserted, so that the number of samples and the audio clock agree. Any message from the page ends the processor:
// the begun block is posted too, so that no sample is lost on stop.
class BlockCutter extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.start = 0;
    this.heard = false;
    this.ended = false;
    this.port.onmessage = () => {
      this.ended = true;
      this.post();
      this.port.postMessage({ flushed: true });
    };
  }

  post() {
    if (this.filled === 0) return;
    const samples = this.filled === this.block.length ? this.block : this.block.slice(0, this.filled);
    this.port.postMessage({ samples, time: this.start / sampleRate, at: Date.now() }, [samples.buffer]);
    this.block = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
  }

  process(inputs) {
    if (this.ended) return false;
    const channels = inputs[0] ?? [];
    this.heard ||= channels.length > 0;
    if (!this.heard) return true;
    const frames = channels[0]?.length ?? 128;
    for (let i = 0; i < frames; i++) {
      if (this.filled === 0) this.start = currentFrame + i;
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = channels.length > 1 ? sum / channels.length : sum;
      if (this.filled === this.block.length) this.post();
    }
    return true;
  }
}

registerProcessor("aiw-block-cutter", BlockCutter);
