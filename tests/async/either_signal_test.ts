import { assertEquals } from "@std/assert";
import { eitherSignal } from "../../src/async/either_signal.ts";

Deno.test("eitherSignal() is aborted with the first of its signals, and has its reason", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  using either = eitherSignal(a.signal, b.signal);
  let heard = 0;
  either.signal.addEventListener("abort", () => heard++);
  b.abort("b");
  a.abort("a");
  assertEquals([either.signal.aborted, either.signal.reason, heard], [true, "b", 1]);
});

Deno.test("eitherSignal() of an aborted signal is aborted", () => {
  using either = eitherSignal(new AbortController().signal, AbortSignal.abort("gone"));
  assertEquals(either.signal.reason, "gone");
});

Deno.test("eitherSignal() can be aborted by itself, and hears nothing once disposed of", () => {
  const a = new AbortController();
  {
    using alone = eitherSignal(a.signal);
    alone.abort("self");
    assertEquals([alone.signal.reason, a.signal.aborted], ["self", false]);
  }
  const disposed = eitherSignal(a.signal);
  disposed[Symbol.dispose]();
  a.abort();
  assertEquals(disposed.signal.aborted, false);
});

Deno.test("eitherSignal() is heard after the garbage collector was there", async () => {
  const script = `
    import { eitherSignal } from ${JSON.stringify(new URL("../../src/async/either_signal.ts", import.meta.url).href)};
    const end = new AbortController();
    let heard = false;
    (() => eitherSignal(end.signal, new AbortController().signal).signal.addEventListener("abort", () => heard = true))();
    for (let n = 0; n < 3; n++) { gc(); await new Promise((resolve) => setTimeout(resolve, 1)); }
    end.abort();
    console.log(heard);`;
  const args = ["eval", "--ext=ts", "--v8-flags=--expose-gc", script];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  assertEquals(new TextDecoder().decode(stdout), "true\n");
});
