/** ONNX Runtime, loaded when it is first needed; the only module that imports it at run time. */
export const runtime = async () => (await import('onnxruntime-node')).default;
