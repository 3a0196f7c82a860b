// A client's request as far as another node has to know it, where that one has to do what this one cannot.

/** Names the node that passed a request on: whoever sees it passes it on no further. */
export const passedOnHeader = "x-perennial-passed-on-by";

export type Onward = {
  /** Who asks, and under which id; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The node that has passed the request on to this one; undefined: a client sent it. */
  readonly passedOnBy: string | undefined;
};
