/**
 * Content that is read here and written there: an error of the reading side is never taken for one of the destination.
 *
 * @module
 */

/** Has `write` write `content`. @throws what reading throws, as it is; else what writing throws. */
export async function writeFrom(
  content: AsyncIterable<Uint8Array>,
  write: (content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const read: { failed?: { readonly error: unknown } } = {};
  const guarded = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      read.failed = { error };
      throw error;
    }
  };
  try {
    await write(guarded());
  } catch (error) {
    throw read.failed === undefined ? error : read.failed.error;
  }
}
