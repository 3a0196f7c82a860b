// Long lists are looked at four times a second and change in one or two places: what has not changed is not drawn again.
import { Component, type ComponentChild, type ComponentType } from "preact";

/** A component without state that is drawn again only where one of its properties is another value or object than before. */
export function steady<Props extends object>(draw: (props: Props) => ComponentChild): ComponentType<Props> {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      const before: Props = this.props;
      return (Object.keys(next) as (keyof Props)[]).some((name) => next[name] !== before[name]);
    }

    override render(props: Props): ComponentChild {
      return draw(props);
    }
  };
}
