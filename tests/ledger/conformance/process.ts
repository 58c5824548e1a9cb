/** Processes of their own for the checks. */

/** A program that runs, and what it says. Disposing of it is kill -9. */
interface TestProcess extends AsyncDisposable {
  /** Complete lines, up to the end of the process; a line that a kill cut off is left out. */
  readonly lines: AsyncIterableIterator<string>;
  /** kill -9. What was said before can still be read. */
  kill(): void;
}

/** Starts a program of the tests. */
export function startProcess(program: string, ...args: string[]): TestProcess {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL(program, import.meta.url).href, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  return {
    lines: linesOf(reader),
    kill,
    async [Symbol.asyncDispose]() {
      kill();
      await child.status;
      await reader.cancel();
    },
  };
}

async function* linesOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + decoder.decode(piece.value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
