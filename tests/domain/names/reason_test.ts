import { assertEquals, assertRejects } from "@std/assert";
import { reasonOf } from "../../../src/domain/names/reason.ts";

Deno.test("reasonOf() says what the system says, without number, call and path", async () => {
  const missing = await assertRejects(() => Deno.open("/nowhere/a (os error).fits"));
  assertEquals(reasonOf(missing).includes("os error"), false);
  const watched = 'Permission denied (os error 13) about ["/data/closed"]';
  assertEquals(reasonOf(new Error(watched)), "Permission denied");
  assertEquals(reasonOf(new Error("Zugriff verweigert. (os error 5): open 'C:\\a'")), "Zugriff verweigert");
});

Deno.test("reasonOf() leaves every other message as it is", () => {
  assertEquals([reasonOf(new Error("no answer")), reasonOf("text")], ["no answer", "text"]);
});
