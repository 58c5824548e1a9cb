import { assertEquals } from "@std/assert";
import { aFailure, type FakeDestination } from "../support/fake_method.ts";
import { type OutboxRig, outboxRig } from "./outbox_rig.ts";
import { wasRead } from "../ledger/makers.ts";

/** As if an earlier process had claimed everything and ended: attempt `old`, with what it left staged and published. */
async function interrupted(
  rig: OutboxRig,
  files: Record<string, { content: string | Uint8Array; staged?: string | Uint8Array; published?: string }>,
): Promise<void> {
  for (const [name, { content }] of Object.entries(files)) await rig.admit(name, content);
  const claimed = rig.ledger.claim({
    job: "spring",
    destination: "nas",
    order: "oldest_first",
    maxFiles: 100,
    maxBytes: 1e12,
    attempt: "old",
    now: rig.clock.now(),
  });
  for (const delivery of claimed) {
    const { staged, published } = files[delivery.source.path]!;
    if (staged !== undefined) put(rig.fake, `${rig.tools.methodContext.stagingRoot}/old/${delivery.id}`, staged);
    if (published !== undefined) put(rig.fake, delivery.target, published);
  }
}

function put(fake: FakeDestination, path: string, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  fake.files.set(path, { bytes, mtimeMs: 0, mode: null });
}

Deno.test("recover() records what was published, publishes what was staged whole, sends only the rest", async () => {
  await using rig = await outboxRig();
  await interrupted(rig, {
    "published.fits": { content: "alpha", published: "alpha" },
    "staged.fits": { content: "beta", staged: "beta" },
    "partial.fits": { content: "gamma", staged: "gam" },
    "nothing.fits": { content: "delta" },
  });
  const sent: string[] = [];
  rig.fake.refuse = (upload) => {
    sent.push(upload.source.path);
    return null;
  };
  rig.start();
  await rig.soon(() => rig.ledger.counts().delivered === 4, "all delivered");
  assertEquals(sent.sort(), ["nothing.fits", "partial.fits"]);
  assertEquals(rig.fake.texts(), {
    "nothing.fits": "delta",
    "partial.fits": "gamma",
    "published.fits": "alpha",
    "staged.fits": "beta",
  });
});

Deno.test("recover() sends what it finds published and cannot flush; what is staged takes its place at once", async () => {
  await using rig = await outboxRig();
  await interrupted(rig, {
    "found.fits": { content: "alpha", published: "alpha" },
    "both.fits": { content: "beta", published: "beta", staged: "beta" },
  });
  const sent: string[] = [];
  rig.fake.refuse = (upload) => {
    sent.push(upload.source.path);
    return null;
  };
  rig.fake.before = (step) => {
    if (step === "flush" && rig.fake.calls.flush === 1) throw aFailure("device_missing", "Input/output error");
  };
  rig.start();
  await rig.soon(() => rig.ledger.counts().delivered === 2, "all delivered");
  assertEquals([sent, rig.fake.calls.flush], [["found.fits"], 1]);
});

Deno.test("recover() never publishes a staged file that is long enough but wrong, and counts no attempt for it", async () => {
  await using rig = await outboxRig();
  await interrupted(rig, { "a.fits": { content: "alpha", staged: "alph\0" } });
  const published: Record<string, string>[] = [];
  rig.fake.after = (step) => {
    if (step === "publish") published.push(rig.fake.texts());
  };
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(published, [{ "a.fits": "alpha" }]);
  assertEquals(rig.delivery("a.fits").attempts, 0);
});

Deno.test("recover() sends again what was staged whole if the former process alone could hear that the disk refused it", async () => {
  await using rig = await outboxRig();
  rig.fake.sendsStagedAgain = true;
  await interrupted(rig, { "a.fits": { content: "alpha", staged: "alpha" } });
  const sent: string[] = [];
  rig.fake.refuse = (upload) => {
    sent.push(upload.source.path);
    return null;
  };
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(sent, ["a.fits"]);
});

Deno.test("recover() offers the part of a large file to the next attempt, and sweeps what nobody needs", async () => {
  await using rig = await outboxRig();
  const big = new Uint8Array(5 * 1024 * 1024).fill(3);
  await interrupted(rig, { "big.fits": { content: big, staged: big.slice(0, 1000) } });
  put(rig.fake, `${rig.tools.methodContext.stagingRoot}/older/99`, "rubbish");
  const offered: (string | undefined)[] = [];
  rig.fake.refuse = (upload) => {
    offered.push(upload.leftover);
    return null;
  };
  rig.start();
  await rig.soon(() => rig.state("big.fits") === "delivered", "delivered");
  assertEquals(offered, [`${rig.tools.methodContext.stagingRoot}/old/${rig.delivery("big.fits").id}`]);
  await rig.soon(() => [...rig.fake.files.keys()].length === 1, "swept");
  assertEquals([...rig.fake.files.keys()], ["big.fits"]);
});

Deno.test("recover() fails what is gone at the source and never arrived, and keeps what arrived", async () => {
  await using rig = await outboxRig();
  await interrupted(rig, { "gone.fits": { content: "alpha" }, "arrived.fits": { content: "beta", published: "beta" } });
  wasRead(rig.ledger, rig.delivery("arrived.fits"), "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753");
  await Deno.remove(rig.folder.at("data", "gone.fits"));
  await Deno.remove(rig.folder.at("data", "arrived.fits"));
  rig.start();
  await rig.soon(() => rig.state("gone.fits") === "failed", "settled");
  assertEquals(rig.state("arrived.fits"), "delivered");
});

Deno.test("recover() sends again what only its length speaks for: without a hash, nobody saw it arrive whole", async () => {
  for (const verify of ["size", "none"] as const) {
    await using rig = await outboxRig({ destination: { verify } });
    await interrupted(rig, { "a.fits": { content: "alpha", staged: "al\0ha" } });
    rig.start();
    await rig.until(() => rig.state("a.fits") === "delivered", "delivered");
    assertEquals(rig.fake.texts(), { "a.fits": "alpha" }, verify);
  }
});

Deno.test("recover() publishes nothing while an attempt of the former process could still do so", async () => {
  await using rig = await outboxRig({ destination: { onConflict: "overwrite" } });
  // The answer of attempt `doubtful` (version 1) was lost, version 2 was staged, then came kill -9.
  await interrupted(rig, { "a.fits": { content: "second", staged: "second" } });
  const doubtful = `${rig.tools.methodContext.stagingRoot}/doubtful/7`;
  put(rig.fake, doubtful, "first!");
  rig.fake.after = (step) => {
    if (step !== "publish") return;
    // The remote process that the former daemon had given up waiting for goes on: it renames what is still staged.
    const late = rig.fake.files.get(doubtful);
    if (late) {
      rig.fake.files.set("a.fits", late);
      rig.fake.files.delete(doubtful);
    }
  };
  rig.start();
  await rig.soon(() => rig.state("a.fits") === "delivered", "delivered");
  assertEquals(rig.fake.texts(), { "a.fits": "second" });
});

Deno.test("recover() leaves nothing of a former process staged that it could still publish over a newer version", async () => {
  await using rig = await outboxRig({ destination: { onConflict: "overwrite", parallelTransfers: 1 } });
  const big = new Uint8Array(5 * 1024 * 1024).fill(3);
  await interrupted(rig, {
    "x.fits": { content: "first", staged: "first" },
    "big.fits": { content: big, staged: big.slice(0, 1000) },
  });
  const old = rig.delivery("x.fits");
  const abandoned = `${rig.tools.methodContext.stagingRoot}/old/${old.id}`;
  await rig.admit("x.fits", "second version");
  // Big waits: its part is kept.
  rig.fake.refuse = (upload) =>
    upload.source.path === "big.fits" ? { code: "mismatch", next: "later", message: "m", hint: "" } : null;
  const there: boolean[] = [];
  rig.fake.before = (step) => {
    if (step === "publish") there.push(rig.fake.files.has(abandoned));
  };
  rig.start();
  await rig.soon(() => rig.fake.texts()["x.fits"] === "second version", "delivered");
  // What the former process asked for is carried out now.
  const late = rig.fake.files.get(abandoned);
  if (late) rig.fake.files.set(old.target, late);
  assertEquals([there, rig.fake.texts()["x.fits"]], [[false], "second version"]);
});
