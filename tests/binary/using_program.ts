/** A program whose output tells whether everything held by `using` was let go: the build must not lose that. */

function held(name: string) {
  return {
    use: () => Promise.resolve(name),
    [Symbol.dispose]: () => emit(`${name} closed\n`),
    [Symbol.asyncDispose]: () => Promise.resolve(emit(`${name} closed\n`)),
  };
}

function emit(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function once(): Promise<string> {
  using file = held("used once");
  return await file.use();
}

async function onceAwaited(): Promise<string> {
  await using file = await Promise.resolve(held("awaited"));
  return await file.use();
}

function never(): void {
  using _file = held("never used");
}

await once();
await onceAwaited();
never();
