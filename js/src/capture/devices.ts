/** Up-to-date list of microphones. Their names are known after the person has allowed one. */
import type { Device } from "../store/store";
import type { CaptureHost } from "./host";

export class DeviceList {
  #ended = false;

  constructor(
    private readonly host: CaptureHost,
    private readonly changed: (devices: readonly Device[]) => void,
  ) {}

  start(): void {
    this.host.devices?.addEventListener?.("devicechange", this.#onChange);
    void this.refresh();
  }

  end(): void {
    this.#ended = true;
    this.host.devices?.removeEventListener?.("devicechange", this.#onChange);
  }

  /** Read the list again: after a permission was given, and whenever a device is added or removed. */
  async refresh(): Promise<void> {
    const list = this.host.devices?.enumerateDevices;
    if (!list) return;
    let found: MediaDeviceInfo[];
    try {
      found = await list.call(this.host.devices);
    } catch {
      // Some hosts forbid the list although they allow the microphone: then there is no choice.
      return;
    }
    if (this.#ended) return;
    this.changed(microphones(found));
  }

  readonly #onChange = (): void => void this.refresh();
}

/**
 * Return the named microphones, each once. Browsers list "default" and "communications" in addition to the devices
 * behind these.
 */
export function microphones(found: readonly MediaDeviceInfo[]): Device[] {
  return found
    .filter(({ kind, deviceId, label }) => kind === "audioinput" && deviceId !== "" && label !== "")
    .filter(({ deviceId }) => deviceId !== "default" && deviceId !== "communications")
    .map(({ deviceId, label }) => ({ id: deviceId, name: label }));
}
