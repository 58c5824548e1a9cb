/** Disks that are full, read-only, gone: the Failure names it, and nothing is made in the wrong place. */
import { assert, assertEquals } from "@std/assert";
import { Failure, type FailureCode, type FailureRecord, failureRecord } from "../../src/domain/failure.ts";
import type { Session } from "../../src/methods/method.ts";
import { assertAllPublished, assertAllPut, codeOf } from "./expectations.ts";
import { type Check, check, digestOf, ignoreBytes, noise, publication, STAGING, upload } from "./rig.ts";
import { mountSmallDisk } from "../support/small_disk.ts";

export const DISK: readonly Check[] = [
  check(
    "put() says disk_full, and goes on when there is room again",
    { onDisk: true, root: true },
    async ({ attached, session, signal, source, folder }) => {
      await using disk = await mountSmallDisk(folder.at("disk"), 4);
      const { it, open } = await attached({ base: disk.path });
      const content = noise(6 << 20);
      const file = await source("big.fits", content);
      let code = await putCode(open, file, 1);
      // With TLS, a server may end the connection for data before it says why: then the next attempt hears it.
      for (let attempt = 2; it.destination.transport.method === "ftps" && code === "interrupted" && attempt <= 10; attempt++) {
        code = await putCode(await session(it), file, attempt);
      }
      assertEquals(code, "disk_full");
      assertEquals((await it.view.files())?.filter((path) => !path.startsWith(STAGING)), []);
      await disk.resize(20);
      const next = await session(it);
      assertAllPut(await next.put([upload(file, 1, "a2")], ignoreBytes, signal));
      assertEquals(await next.digest([`${STAGING}/a2/1`], signal), [await digestOf(content)]);
    },
  ),
  check(
    "put() and publish() say read_only, and go on when the disk can be written again",
    { onDisk: true, root: true },
    async ({ attached, signal, source, folder }) => {
      await using disk = await mountSmallDisk(folder.at("disk"), 4);
      const { it, open } = await attached({ base: disk.path });
      const file = await source("a.fits", noise(1000));
      assertAllPut(await open.put([upload(file, 1)], ignoreBytes, signal));
      await disk.readOnly(true);
      const code = await putCode(open, file, 2);
      assert(code === "read_only" || code === "permission_denied", `put: ${code}`);
      const published = await outcomeCode(async () =>
        codeOf((await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal))[0])
      );
      assert(published === "read_only" || published === "permission_denied", `publish: ${published}`);
      await disk.readOnly(false);
      assertAllPublished(await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal));
      assertEquals(await digestOf(await it.view.read("a.fits") ?? ""), await digestOf(noise(1000)));
    },
  ),
  check(
    "put() and publish() never make a base path that is gone",
    { onDisk: true },
    async ({ attached, signal, source, folder }) => {
      const base = folder.at("mount", "images");
      await Deno.mkdir(base, { recursive: true });
      const { it, open } = await attached({ base });
      const file = await source("a.fits", noise(1000));
      assertAllPut(await open.put([upload(file, 1)], ignoreBytes, signal));
      await Deno.rename(base, folder.at("unmounted"));
      assertEquals(await putCode(open, file, 2), "device_missing");
      const published = await outcomeCode(async () =>
        codeOf((await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal))[0])
      );
      assertEquals(published, "device_missing");
      assertEquals(await it.view.files(), null);
      await Deno.rename(folder.at("unmounted"), base);
      assertAllPublished(await open.publish([publication(`${STAGING}/a1/1`, "a.fits")], signal));
    },
  ),
  check(
    "publish() in a folder that denies it: its own files wait, by the folder's name; where the base path denies it, the destination",
    { onDisk: true, root: true },
    async ({ attached, signal, source, folder }) => {
      const base = folder.at("base", "images");
      const { it, open } = await attached({ base });
      const targets = ["M31/a.fits", "M31/new/b.fits", "n/c.fits"];
      const files = await Promise.all(targets.map((_, index) => source(`${index}.fits`, noise(1000, index + 1))));
      assertAllPut(await open.put(files.map((file, index) => upload(file, index)), ignoreBytes, signal));
      const publish = (...numbers: number[]) =>
        open.publish(numbers.map((number) => publication(`${STAGING}/a1/${number}`, targets[number]!)), signal);
      await Deno.mkdir(`${base}/M31`);
      {
        await using _closed = await immutable(`${base}/M31`);
        {
          await using _base = await immutable(base);
          // FTP and SFTP throw what is the destination's.
          const held = await outcomeOf(() => publish(0));
          assertEquals([held?.code, held?.next], ["permission_denied", "hold"], held?.message);
        }
        const outcomes = await publish(0, 1, 2);
        assertEquals(outcomes.map(({ published }) => published), [false, false, true]);
        for (const outcome of outcomes) {
          if (outcome.published) continue;
          assertEquals([outcome.failure.code, outcome.failure.next], ["permission_denied", "later"], outcome.failure.message);
          assert(outcome.failure.message.includes("M31"), outcome.failure.message);
        }
      }
      assertAllPublished(await publish(0, 1));
      await open.sweep(null, signal);
      assertEquals(await it.view.files(), targets);
    },
  ),
];

async function outcomeOf(publish: () => ReturnType<Session["publish"]>): Promise<FailureRecord | null> {
  try {
    const [outcome] = await publish();
    return outcome?.published === false ? outcome.failure : null;
  } catch (error) {
    return failureRecord(error);
  }
}

/** A folder in which even root makes nothing, until this is disposed of. */
async function immutable(path: string): Promise<AsyncDisposable> {
  await chattr("+i", path);
  return { [Symbol.asyncDispose]: () => chattr("-i", path) };
}

async function chattr(flag: string, path: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("chattr", { args: [flag, path] }).output();
  assert(success, new TextDecoder().decode(stderr));
}

async function putCode(open: Session, file: Parameters<typeof upload>[0], number: number): Promise<FailureCode | null> {
  const signal = new AbortController().signal;
  return await outcomeCode(async () => codeOf((await open.put([upload(file, number)], ignoreBytes, signal))[0]));
}

/** The code, whether it comes as an outcome or is thrown. */
async function outcomeCode(work: () => Promise<FailureCode | null>): Promise<FailureCode | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
}
