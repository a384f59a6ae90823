/** Error boundary around one panel: a panel that fails to render shows a sentence, and the others are not affected. */
import { Component, type ComponentChildren } from "preact";
import { BarButton } from "./bar-button";

interface Props {
  /** Name of the panel in the sentence about the failure. */
  name: string;
  children: ComponentChildren;
}

interface State {
  /** Text of the error; null while the panel is rendered. */
  failure: string | null;
}

export class Panel extends Component<Props, State> {
  override state: State = { failure: null };

  override componentDidCatch(error: unknown): void {
    console.error(`The ${this.props.name} could not be drawn.`, error);
    this.setState({ failure: String(error) });
  }

  override render({ name, children }: Props, { failure }: State): ComponentChildren {
    if (failure === null) return children;
    return (
      <div class="aiw-banner" role="alert" data-testid="undrawn">
        <div class="aiw-banner-text">
          <strong>The {name} could not be drawn.</strong>{" "}
          <span>The session continues and nothing is lost. {failure}</span>
        </div>
        <BarButton
          name="draw-again"
          title={`Draw the ${name} again`}
          press={() => this.setState({ failure: null })}
        >
          Draw again
        </BarButton>
      </div>
    );
  }
}
