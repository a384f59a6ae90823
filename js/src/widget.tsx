/** Entry point of the widget: the model runs in the kernel. */
import { App } from "./app";
import { Conversation } from "./conversation";
import { frontEnd } from "./front-end";
import { createView } from "./view";

export default frontEnd(
  (model) => new Conversation(model),
  (conversation) => <App view={createView(conversation)} />,
);
