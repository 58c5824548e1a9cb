/**
 * Golden files: what must come out, word for word. `UPDATE_GOLDEN=1` writes them anew; look at the difference before
 * committing it.
 */
import { assertEquals } from "@std/assert";

/** Compares a text with a golden file: `assertGolden(new URL("golden/sample.yaml", import.meta.url), text)`. */
export async function assertGolden(file: URL, actual: string): Promise<void> {
  if (Deno.env.get("UPDATE_GOLDEN")) {
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, actual);
  }
  assertEquals(actual, await Deno.readTextFile(file), `${file.pathname} differs; UPDATE_GOLDEN=1 writes it anew`);
}
