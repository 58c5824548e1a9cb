import { assertEquals } from "@std/assert";
import type { TransferEvent } from "../../src/domain/transfer_event.ts";
import { eventStream } from "../../src/events/event_stream.ts";

Deno.test("eventStream() stamps events and tells every listener until it goes", () => {
  const stream = eventStream(() => 42);
  const heard: TransferEvent[] = [];
  const deaf = stream.listen((event) => heard.push(event));
  stream.emit({ type: "stopped" });
  deaf();
  stream.emit({ type: "stopped" });
  assertEquals(heard, [{ type: "stopped", at: 42 }]);
});

Deno.test("tell() never throws: a listener that fails is reported to the others, once", () => {
  const stream = eventStream(() => 0);
  const heard: string[] = [];
  stream.listen(() => {
    throw new Error("broken listener");
  });
  stream.listen((event) => heard.push(event.type));
  stream.emit({ type: "stopped" });
  stream.emit({ type: "reloaded" });
  assertEquals(heard, ["notice", "stopped", "reloaded"]);
});
