/** Manifest of an exported model: everything beside its weights. `ai_widgets.model.onnx` writes it. */

export interface Manifest {
  readonly format: number;
  readonly name: string;
}
