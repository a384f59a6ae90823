declare module "*.worklet.js" {
  const source: string;
  export default source;
}
