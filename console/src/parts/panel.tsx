// One titled area of the page.
import type { ComponentChildren } from "preact";

type PanelProps = {
  /** Also the area's name for screen readers. */
  title: string;
  name: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
};

export function Panel({ title, name, aside, children }: PanelProps) {
  return (
    <section class={`panel panel-${name}`} aria-labelledby={`title-${name}`}>
      <header class="panel-head">
        <h2 id={`title-${name}`}>{title}</h2>
        {aside !== undefined && <div class="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}
