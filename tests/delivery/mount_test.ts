import { assertEquals } from "@std/assert";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import type { Mount, Session } from "../../src/methods/method.ts";
import { mountOf } from "../../src/methods/shell/shell_files.ts";
import { findMount, notMounted } from "../../src/delivery/mount.ts";
import { aDestination } from "../support/makers.ts";
import { anAdmission, NOW, proven } from "../ledger/makers.ts";
import { tempFolder } from "../support/temp.ts";

const SYSTEM: Mount = { freeBytes: 1e9, device: "/", onSystemDisk: true };
const DRIVE: Mount = { freeBytes: 1e9, device: "/mnt/nas", onSystemDisk: false };

for (
  const [basePath, mount, rewritten] of [
    ["/mnt/nas/images", SYSTEM, true],
    ["/media/observer/disk", SYSTEM, true],
    ["/run/media/observer/disk", SYSTEM, true],
    ["/Volumes/Images/raw", SYSTEM, true],
    ["/mnt/nas/images", DRIVE, false],
    ["/mnt/nas/images", { freeBytes: 1e9, device: "7" }, false],
    ["/data/images", SYSTEM, false],
    ["images", SYSTEM, false],
    ["/mnt", SYSTEM, false],
  ] as const
) {
  Deno.test(`notMounted() ${rewritten ? "doubts" : "takes"} ${basePath} on ${mount.device}`, () => {
    assertEquals(notMounted(aDestination({ basePath }), mount) !== null, rewritten);
  });
}

Deno.test("findMount() warns of a drive that is not mounted at the first contact only", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.path);
  const session = { attach: () => Promise.resolve(SYSTEM) } as Pick<Session, "attach"> as Session;
  const warnings: string[] = [];
  const options = {
    destination: aDestination(),
    ledger,
    accept: false,
    log: (_: string, message: string) => void warnings.push(message),
  };
  await findMount(session, options, new AbortController().signal);
  await findMount(session, options, new AbortController().signal);
  assertEquals(warnings.length, 1);
  assertEquals(warnings[0]?.startsWith("The folder of nas, /mnt/nas, is on the system disk: is its drive mounted? "), true);
});

for (
  const [what, size, expected] of [["missing", null, "device_missing"], ["of another size", 4, "device_missing"], [
    "there",
    5,
    "2",
  ]] as const
) {
  Deno.test(`findMount() on another device, with a delivered file ${what}`, async () => {
    await using dir = await tempFolder();
    using ledger = openLedger(dir.path);
    const destination = aDestination();
    ledger.rememberDevice(destination.job, destination.name, "1");
    const [delivery] = ledger.admit([anAdmission("a.fits", { size: 5 }, [destination.name], destination.job)], NOW);
    ledger.record([proven(delivery!)], NOW);
    const session = {
      attach: () => Promise.resolve({ freeBytes: null, device: "2" }),
      survey: () => Promise.resolve([size === null ? null : { bytes: size, kind: "file" }]),
    } as Partial<Session> as Session;
    const options = { destination, ledger, accept: false };
    const found = findMount(session, options, new AbortController().signal);
    assertEquals(await found.then(({ device }) => device, ({ code }) => code), expected);
    assertEquals(ledger.deviceOf(destination.job, destination.name)?.split("\n")[0], size === 5 ? "2" : "1");
  });
}

// Only the base path differs; device and time of the folder are as before, or not told at all.
for (const device of ["1", null]) {
  Deno.test(`findMount() asks where remote_base_path was corrected after deliveries, device ${device ?? "not told"}`, async () => {
    await using dir = await tempFolder();
    using ledger = openLedger(dir.path);
    const [former, corrected] = [aDestination({ basePath: "/data/w1" }), aDestination({ basePath: "/data/w2" })];
    const session = {
      attach: () => Promise.resolve({ freeBytes: null, device }),
      survey: () => Promise.resolve([null]),
    } as Partial<Session> as Session;
    const at = (destination: typeof former) =>
      findMount(session, { destination, ledger, accept: false }, new AbortController().signal);
    await at(former);
    const [delivery] = ledger.admit([anAdmission("a.fits", { size: 5 }, [former.name], former.job)], NOW);
    ledger.record([proven(delivery!)], NOW);
    assertEquals(await at(corrected).then(() => "accepted", ({ code }) => code), "folder_changed");
  });
}

for (const [what, isDelivered, expected] of [["before", false, "accepted"], ["after", true, "device_missing"]] as const) {
  Deno.test(`findMount() where the folder was made again on the same disk, ${what} something was delivered`, async () => {
    await using dir = await tempFolder();
    using ledger = openLedger(dir.path);
    const destination = aDestination();
    const session = (born: string) =>
      ({
        attach: () => Promise.resolve({ freeBytes: null, device: "1", born }),
        survey: () => Promise.resolve([null]),
      }) as Partial<
        Session
      > as Session;
    const at = (born: string) => findMount(session(born), { destination, ledger, accept: false }, new AbortController().signal);
    await at("1700000000");
    const [delivery] = ledger.admit([anAdmission("a.fits", { size: 5 }, [destination.name], destination.job)], NOW);
    if (isDelivered) ledger.record([proven(delivery!)], NOW);
    assertEquals(await at("1700000001").then(() => "accepted", ({ code }) => code), expected);
  });
}

Deno.test("mountOf() tells the mount point, the share, and whether it is the system disk", () => {
  assertEquals(mountOf("/dev/sda1  100 40 60 40% /"), { freeBytes: 60 * 1024, device: "/", onSystemDisk: true });
  assertEquals(mountOf("nas:/export 100 40 60 40% /mnt/my nas"), {
    freeBytes: 60 * 1024,
    device: "nas:/export on /mnt/my nas",
    onSystemDisk: false,
  });
  assertEquals(mountOf("df: no"), { freeBytes: null, device: null });
});
