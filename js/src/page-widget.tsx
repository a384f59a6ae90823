/** Entry point of the widget with `engine="page"`: the model runs in the notebook's page, and the kernel records it. */
import { App } from "./app";
import { frontEnd } from "./front-end";
import { EngineLine } from "./mirror/engine-line";
import { NotebookPage } from "./mirror/notebook-page";
import { createView } from "./view";

export default frontEnd(
  (model) => new NotebookPage(model),
  ({ channel }) => <App view={createView(channel)} foot={<EngineLine channel={channel} />} />,
);
