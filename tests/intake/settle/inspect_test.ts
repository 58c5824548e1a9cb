import { assertEquals, assertRejects } from "@std/assert";
import { inspect, takingTurns } from "../../../src/intake/settle/inspect.ts";

for (const name of ["a.fits", "a.fits.gz", "a.xisf", "a.ser", "a.tif", "a.raw"]) {
  Deno.test(`inspect() of ${name}, which is gone: each read that fails is heard, whether it is wanted or not`, async () => {
    const unheard: string[] = [];
    const hear = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      unheard.push(String(event.reason));
    };
    globalThis.addEventListener("unhandledrejection", hear);
    try {
      const read = () => Promise.reject(new Deno.errors.NotFound("gone"));
      const file = { absolutePath: `/data/${name}`, name, identity: "1:2", size: 1_000_000 };
      await assertRejects(() => inspect(file, { read }, new AbortController().signal), Deno.errors.NotFound);
      // Deno tells of them after all that waits.
      await new Promise((resolve) => setTimeout(resolve));
      assertEquals(unheard, []);
    } finally {
      globalThis.removeEventListener("unhandledrejection", hear);
    }
  });
}

Deno.test("takingTurns() waits for none that a program which was ended had taken", async () => {
  const signal = new AbortController().signal;
  const aProgram = () => ({ read: () => Promise.resolve(new Uint8Array(1)), monotonic: () => 0 });
  const ended = aProgram();
  for (let place = 0; place < 20; place++) void takingTurns(ended, signal, () => new Promise(() => {}));
  assertEquals(await takingTurns(aProgram(), signal, ({ read }) => read("/data/a.fits", 0, 1)), new Uint8Array(1));
});
