// Memory of large pieces that goes round: a reader lends out what it filled, and whoever was last to need the bytes gives the piece back,
// to be filled again. A piece that nobody gives back is garbage like any other, so a consumer that knows nothing of this is right, too.

const returns = new WeakMap<Uint8Array, () => void>();

/** `onReturn` is called once, when the piece is given back; its memory may be written over from then on. */
export function lendPiece(piece: Uint8Array, onReturn: () => void): void {
  returns.set(piece, onReturn);
}

/** Only by who has the very last use of these bytes. Harmless for what was not lent, and twice. */
export function returnPiece(piece: Uint8Array): void {
  const onReturn = returns.get(piece);
  returns.delete(piece);
  onReturn?.();
}

export function isLent(piece: Uint8Array): boolean {
  return returns.has(piece);
}
