import { assertEquals, assertRejects } from "@std/assert";
import { aborted, anySignal, onAbort, unlessAborted, untilAborted } from "../../src/async/abort.ts";

const hanging = new Promise<never>(() => {});

Deno.test("anySignal() is aborted with the first of its signals, and has its reason", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  using any = anySignal(a.signal, b.signal);
  let heard = 0;
  any.signal.addEventListener("abort", () => heard++);
  b.abort("b");
  a.abort("a");
  assertEquals([any.signal.aborted, any.signal.reason, heard], [true, "b", 1]);
});

Deno.test("anySignal() of an aborted signal is aborted", () => {
  using any = anySignal(new AbortController().signal, AbortSignal.abort("gone"));
  assertEquals(any.signal.reason, "gone");
});

Deno.test("anySignal() can be aborted alone, and keeps its first reason", () => {
  const a = new AbortController();
  using alone = anySignal(a.signal);
  alone.abort("self");
  a.abort("a");
  assertEquals(alone.signal.reason, "self");
});

Deno.test("anySignal() ends with its block, and leaves no listener behind", () => {
  const listeners = new Set<unknown>();
  const followed = {
    aborted: false,
    addEventListener: (_: string, act: unknown) => listeners.add(act),
    removeEventListener: (_: string, act: unknown) => listeners.delete(act),
  } as unknown as AbortSignal;
  let signal: AbortSignal;
  {
    using any = anySignal(followed, followed);
    signal = any.signal;
    assertEquals([signal.aborted, listeners.size], [false, 2]);
  }
  assertEquals([signal.aborted, listeners.size], [true, 0]);
});

Deno.test("anySignal() is heard after the garbage collector was there", async () => {
  const script = `
    import { anySignal } from ${JSON.stringify(new URL("../../src/async/abort.ts", import.meta.url).href)};
    const end = new AbortController();
    let heard = false;
    (() => anySignal(end.signal, new AbortController().signal).signal.addEventListener("abort", () => heard = true))();
    for (let n = 0; n < 3; n++) { gc(); await new Promise((resolve) => setTimeout(resolve, 1)); }
    end.abort();
    console.log(heard);`;
  const args = ["eval", "--ext=ts", "--v8-flags=--expose-gc", script];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  assertEquals(new TextDecoder().decode(stdout), "true\n");
});

Deno.test("onAbort() acts once, at once where the signal is aborted already, and never after it is disposed of", () => {
  const end = new AbortController();
  const acts: string[] = [];
  onAbort(end.signal, () => acts.push("later"));
  onAbort(end.signal, () => acts.push("never"))[Symbol.dispose]();
  end.abort();
  onAbort(end.signal, () => acts.push("at once"));
  assertEquals(acts, ["later", "at once"]);
});

Deno.test("aborted() resolves when the signal is aborted", async () => {
  const end = new AbortController();
  const waiting = aborted(end.signal);
  end.abort("any reason");
  await waiting;
  await aborted(end.signal);
});

Deno.test("untilAborted() gives what the work gives, and the reason as soon as the signal is aborted", async () => {
  const end = new AbortController();
  assertEquals(await untilAborted(Promise.resolve(7), end.signal), 7);
  await assertRejects(() => untilAborted(Promise.reject(new Error("broken")), end.signal), Error, "broken");
  const waiting = assertRejects(() => untilAborted(hanging, end.signal), Error, "stop");
  end.abort(new Error("stop"));
  await waiting;
  // An aborted signal comes before work that is done, and before work that failed.
  await assertRejects(() => untilAborted(Promise.resolve(7), end.signal), Error, "stop");
  await assertRejects(() => untilAborted(Promise.reject(new Error("broken")), end.signal), Error, "stop");
});

Deno.test("unlessAborted() gives the other value as soon as the signal is aborted", async () => {
  const end = new AbortController();
  assertEquals(await unlessAborted(Promise.resolve(7), end.signal, null), 7);
  const waiting = unlessAborted(hanging, end.signal, null);
  end.abort();
  assertEquals(await waiting, null);
});
