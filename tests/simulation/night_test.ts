/** The whole daemon in the simulated world: a few short nights; `deno task simulate` lets as many happen as there is time for. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { has } from "../support/needs.ts";
import { runNight, type Verdict } from "./night.ts";
import { aNight } from "./scenario.ts";

/** Outside of any promise, as `runNight` asks for. */
function night(seed: number): Promise<Verdict> {
  return new Promise((resolve) => setTimeout(() => resolve(runNight(aNight(seed, 60))), 0));
}

Deno.test({
  name: "a simulated night keeps the promises, and is the same moment by moment when its seed is the same",
  ignore: !has("memory"),
  async fn() {
    const first = await night(1);
    assertEquals(first.offences, []);
    const [again, other] = [await night(1), await night(2)];
    assertEquals(again.digest, first.digest);
    assertEquals(other.offences, []);
    assertNotEquals(other.digest, first.digest);
  },
});
