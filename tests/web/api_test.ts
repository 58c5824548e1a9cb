import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type {
  DeliveryView,
  ImageReport,
  ImageView,
  NightList,
  NightReport,
  StatusReport,
  TroubleList,
} from "../../src/reports/api_types.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { live, login, webRig } from "./web_rig.ts";

const delivered = (rig: Awaited<ReturnType<typeof webRig>>, count: number) => () =>
  rig.daemon.ledger.counts().delivered === count;

Deno.test("/api/status and /api/deliveries serve the shapes of status --json and history --json", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/20260115/m31.fits", fitsFile(20_000, 1, ["OBJECT  = 'M31'", "FILTER  = 'R'"]));
  await rig.until(delivered(rig, 1), "delivered");
  const status = await rig.json<StatusReport>("/api/status");
  assertEquals([status.running, status.pid, status.url], [true, Deno.pid, `${rig.origin}/`]);
  assertEquals(status.jobs.map(({ name, watching }) => [name, watching]), [["default", true]]);
  assertEquals(status.deliveries.delivered, 1);
  const response = await rig.get("/api/deliveries");
  assertEquals(response.headers.get("total-count"), "1");
  const [row] = await response.json() as DeliveryView[];
  assert(row);
  assertEquals([row.path, row.name], [rig.folder.at("data/20260115/m31.fits"), "20260115/m31.fits"]);
  assertEquals([row.state, row.proof, row.cards?.["OBJECT"], row.preview], [
    "delivered",
    "checksum",
    "M31",
    "/api/preview/1.png",
  ]);
  assertMatch(row.sha256 ?? "", /^[0-9a-f]{64}$/);
  assertEquals(await rig.json<DeliveryView>("/api/deliveries/1"), row);
});

Deno.test("/api/deliveries filters, sorts and pages; what it does not understand is told by name", async () => {
  await using rig = await webRig();
  for (const name of ["a.fits", "b.fits", "c.fits"]) await rig.folder.write(`data/${name}`, fitsFile(3000));
  await rig.until(delivered(rig, 3), "delivered");
  const names = async (query: string) => (await rig.json<DeliveryView[]>(`/api/deliveries?${query}`)).map(({ name }) => name);
  assertEquals(await names("sort=path&order=asc"), ["a.fits", "b.fits", "c.fits"]);
  assertEquals(await names("sort=path&limit=1&offset=1"), ["b.fits"]);
  assertEquals(await names("search=B.F"), ["b.fits"]);
  assertEquals(await names("state=failed,queued"), []);
  assertEquals(await names("job=default&destination=nas&state=delivered&limit=500&sort=path"), ["c.fits", "b.fits", "a.fits"]);
  for (
    const [query, word] of [
      ["limit=-1", "limit"],
      ["limit=501", "at most 500"],
      ["limit=9999", "at most 500"],
      ["state=lost", "state"],
      ["night=tonight", "night"],
      ["colour=red", "colour"],
    ]
  ) {
    const refused = await rig.get(`/api/deliveries?${query}`);
    assertEquals(refused.status, 400);
    assertStringIncludes((await refused.json()).error.message, word!);
  }
});

Deno.test("/api/deliveries.csv exports all that matches", async () => {
  await using rig = await webRig();
  for (let i = 0; i < 3; i++) await rig.folder.write(`data/${i}.fits`, fitsFile(3000));
  await rig.until(delivered(rig, 3), "delivered");
  const response = await rig.get("/api/deliveries.csv?state=delivered&limit=1");
  assertStringIncludes(response.headers.get("content-disposition") ?? "", "attachment");
  const lines = (await response.text()).trimEnd().split("\r\n");
  assertEquals([lines.length, lines[0]!.slice(0, 11)], [4, "id,job,path"]);
});

Deno.test("/api/nights and /api/night tell sums and series of a night", async () => {
  await using rig = await webRig();
  for (let i = 0; i < 5; i++) await rig.folder.write(`data/${i}.fits`, fitsFile(3000));
  await rig.until(delivered(rig, 5), "delivered");
  const { nights } = await rig.json<NightList>("/api/nights");
  assertEquals(nights.length, 1);
  const { summary, series, images } = await rig.json<NightReport>(`/api/night/${nights[0]}`);
  assertEquals([summary.files, summary.destinations[0]?.proven, summary.destinations[0]?.waiting], [5, 5, 0]);
  assertEquals([series.seenFiles.at(-1), series.destinations[0]?.files.at(-1)], [5, 5]);
  assertEquals(images.length, 5);
  const none = await rig.get("/api/night/2026");
  assertEquals(none.status, 404);
  await none.body?.cancel();
});

Deno.test("/api/images has a row for each image with all of its destinations, and its neighbours in the same list", async () => {
  const destinations = ["nas", "usb"].map((name) => ({ name, transfer_method: "local", remote_base_path: `~/${name}` }));
  await using rig = await webRig({ destinations });
  rig.daemon.pause("usb", "the test");
  for (const name of ["a", "b", "c"]) await rig.folder.write(`data/${name}.fits`, fitsFile(3000));
  await rig.until(delivered(rig, 3), "delivered to nas");
  const list = async (query: string) => {
    const response = await rig.get(`/api/images?${query}`);
    const rows = await response.json() as ImageView[];
    return { total: response.headers.get("total-count"), rows };
  };
  const { total, rows } = await list("sort=path&order=asc&limit=2");
  assertEquals([total, rows.map(({ name }) => name)], ["3", ["a.fits", "b.fits"]]);
  const states = rows[0]!.deliveries.map(({ destination, state }) => [destination, state]);
  assertEquals(states, [["nas", "delivered"], ["usb", "queued"]]);
  assertEquals((await list("state=queued&destination=nas")).total, "0");
  assertEquals((await list("state=queued")).rows.length, 3);
  const middle = await rig.json<ImageReport>(`/api/images/${rows[1]!.deliveries[1]!.id}?sort=path&order=asc`);
  assertEquals(middle.deliveries.map(({ name, destination }) => [name, destination]), [["b.fits", "nas"], ["b.fits", "usb"]]);
  assertEquals(middle.former, rows[0]!.id);
  const last = await rig.json<ImageReport>(`/api/images/${middle.next}?sort=path&order=asc`);
  assertEquals([last.deliveries[0]!.name, last.former, last.next], ["c.fits", rows[1]!.id, null]);
  for (const [path, status] of [["images?sort=target", 400], ["images/999", 404], ["images/1?limit=9000", 400]] as const) {
    const refused = await rig.get(`/api/${path}`);
    assertEquals([path, refused.status], [path, status]);
    await refused.body?.cancel();
  }
});

Deno.test("/api/night groups a night by target and filter, and gives each group the numbers that the camera skipped after it", async () => {
  await using rig = await webRig();
  const cards = (
    object: string,
    filter: string,
  ) => [`OBJECT  = '${object}'`, `FILTER  = '${filter}'`, "EXPTIME =                 60.0"];
  for (
    const [number, object, filter] of [[1, "M31", "L"], [2, "M31", "L"], [5, "M31", "R"], [6, "M42", "R"], [
      8,
      "M42",
      "R",
    ]] as const
  ) {
    await rig.folder.write(`data/frame_000${number}.fits`, fitsFile(3000 + number, number, cards(object, filter)));
  }
  await rig.until(delivered(rig, 5), "delivered");
  const { targets } = await rig.json<NightReport>("/api/night/tonight");
  const shown = targets.map(({ target, filter, frames, delivered, seconds, missing, missingCount }) =>
    [target, filter, frames, delivered, seconds, missing.join(), missingCount].join(" ")
  );
  assertEquals(shown.sort(), ["M31 L 2 2 120 0003-0004 2", "M31 R 1 1 60  0", "M42 R 2 2 120 0007 1"]);
  const images = await rig.json<ImageView[]>(`/api/images?target=M42&filter=R&sort=path&order=asc`);
  assertEquals(images.map(({ name }) => name), ["frame_0006.fits", "frame_0008.fits"]);
});

Deno.test("/api/live gives a snapshot, then a file as it comes and lands", async () => {
  await using rig = await webRig();
  await using page = await live(rig);
  const first = await page.until(({ type }) => type === "snapshot");
  assert(first.type === "snapshot");
  assertEquals([first.state.headline.level, first.state.destinations[0]?.name], ["good", "nas"]);
  await rig.folder.write("data/a.fits", fitsFile(30_000));
  const change = await page.until((message) =>
    message.type === "change" && message.deliveries.some(({ name, state }) => name === "a.fits" && state === "delivered")
  );
  assert(change.type === "change");
  const texts = page.messages.flatMap((message) => message.type === "beat" ? [] : message.state.headline?.text ?? []);
  assertMatch(texts.at(-1) ?? "", /^(Tonight's image is on nas|No images yet tonight; nothing is waiting)$/);
});

Deno.test("/api/live tells of a destination that is away, in the headline and with its hint, and of its return", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/a.fits", fitsFile(3000));
  await rig.until(delivered(rig, 1), "delivered");
  await using page = await live(rig);
  await Deno.rename(rig.folder.at("nas"), rig.folder.at("away"));
  await rig.folder.write("data/b.fits", fitsFile(3000));
  const bad = await page.until((message) => message.type === "change" && message.state.headline?.level === "bad");
  assert(bad.type === "change");
  assertStringIncludes(bad.state.headline?.text ?? "", "nas has lost its disk");
  assert((bad.state.headline?.advice ?? "").length > 10);
  const trouble = await rig.json<TroubleList>("/api/trouble");
  assertEquals(trouble.items.map(({ kind, what }) => [kind, what]), [["destination", "nas"]]);
  assertEquals(trouble.items[0]?.action, { do: "resume", destination: "nas" });
  await Deno.rename(rig.folder.at("away"), rig.folder.at("nas"));
  assertEquals(await (await rig.post("/api/resume", { destination: "nas" })).json(), {
    destinations: [],
    retrying: ["nas"],
  });
  await rig.until(delivered(rig, 2), "delivered after the return");
  await page.until((message) => message.type === "change" && message.state.headline?.level === "good");
});

Deno.test("/api/resume never takes an empty mount point for the right disk; the command that names it does", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/a.fits", fitsFile(3000));
  await rig.until(delivered(rig, 1), "delivered");
  await Deno.rename(rig.folder.at("nas"), rig.folder.at("nas_unmounted"));
  await rig.folder.write("data/b.fits", fitsFile(3000));
  await rig.until(() => rig.events.some((event) => event.type === "destination" && event.now.state === "on_hold"), "on hold");
  for (let tries = 0; tries < 3; tries++) {
    await rig.post("/api/resume", { destination: "nas" }).then((response) => response.body?.cancel());
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertEquals(
      await Array.fromAsync(Deno.readDir(rig.folder.path), ({ name }) => name).then((all) => all.includes("nas")),
      false,
    );
  }
  await rig.daemon.resume("nas", "send_again");
  await rig.until(delivered(rig, 2), "delivered in the new place");
});

Deno.test("the actions pause, scan, resume and retry", async () => {
  await using rig = await webRig();
  assertEquals(await (await rig.post("/api/pause", { destination: null })).json(), { destinations: ["nas"] });
  const [destination] = (await rig.json<StatusReport>("/api/status")).destinations;
  assertEquals([destination?.state, destination?.reason], ["paused", "paused by the web page"]);
  await rig.folder.write("data/a.fits", fitsFile(3000));
  assertEquals(await (await rig.post("/api/scan", { job: "default" })).json(), { jobs: ["default"] });
  await rig.until(() => rig.daemon.ledger.counts().queued === 1, "queued");
  await rig.post("/api/resume", { destination: "nas" }).then((response) => response.body?.cancel());
  await rig.until(delivered(rig, 1), "delivered");
  assertEquals(await (await rig.post("/api/retry", { ids: null })).json(), { count: 0 });
  const unknown = await rig.post("/api/pause", { destination: "nowhere" });
  assertEquals(unknown.status, 409);
  assertStringIncludes((await unknown.json()).error.hint, "nas");
});

Deno.test("a reload moves the page, and web: false takes it away", async () => {
  await using rig = await webRig();
  await using page = await live(rig);
  rig.next = () => rig.settings({ web: { listen: "127.0.0.1:0", token: "a token of more than sixteen" } });
  assertEquals((await rig.daemon.reload()).ok, true);
  await page.closed;
  const opening = rig.daemon.opening();
  assert(opening);
  assertEquals(rig.daemon.startUrl()?.includes("token"), false);
  const { response, cookie } = await login(opening.once);
  assertEquals(response.status, 303);
  assert(cookie !== rig.cookie);
  const { origin } = new URL(opening.once);
  const old = await fetch(`${origin}/api/status`, { headers: { cookie: rig.cookie } });
  assertEquals(old.status, 401);
  await old.body?.cancel();
  rig.next = () => rig.settings({ web: false });
  await rig.daemon.reload();
  assertEquals([rig.daemon.opening(), (await rig.daemon.status()).url], [null, null]);
});

Deno.test("a port that is taken is a warning, and deliveries go on", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  await using first = await webRig();
  first.next = () => first.settings({ web: { listen: `127.0.0.1:${port}` } });
  await first.daemon.reload();
  const notices = first.events.flatMap((event) => event.type === "notice" ? [[event.level, event.message]] : []);
  const [level, message] = notices.at(-1)!;
  assertEquals(level, "warning");
  assertStringIncludes(message!, `127.0.0.1:${port}: another program is using this port. Delivery continues.`);
  await first.folder.write("data/a.fits", fitsFile(3000));
  await first.until(delivered(first, 1), "delivered without a page");
});

Deno.test("destinations are shown in the order of the configuration, also after a reload that exchanged a job", async () => {
  await using rig = await webRig();
  const job = (name: string, destinations: string[], changes = {}) => ({
    name,
    watch_path: rig.folder.at(name),
    destinations: destinations.map((one) => ({ name: one, transfer_method: "local", remote_base_path: rig.folder.at(one) })),
    ...changes,
  });
  const reload = async (...jobs: unknown[]) => {
    rig.next = () => rig.settings({ watch_path: undefined, destinations: undefined, jobs });
    assertEquals((await rig.daemon.reload()).ok, true);
  };
  for (const name of ["spring", "guide"]) await Deno.mkdir(rig.folder.at(name));
  await reload(job("spring", ["z", "a"]), job("guide", ["m"]));
  await rig.folder.write("guide/1.fits", fitsFile(3000));
  await rig.until(delivered(rig, 1), "the first arrived at m");
  await rig.folder.write("spring/2.fits", fitsFile(3000));
  await rig.until(delivered(rig, 3), "the second arrived at both");
  await reload(job("spring", ["z", "a"], { order: "newest_first" }), job("guide", ["m"]));
  const inOrder = ["z", "a", "m"];
  const names = (all: readonly { name: string }[]) => all.map(({ name }) => name);
  assertEquals(names((await rig.json<StatusReport>("/api/status")).destinations), inOrder);
  const { summary, series } = await rig.json<NightReport>("/api/night/tonight");
  assertEquals([names(summary.destinations), names(series.destinations)], [inOrder, inOrder]);
  await using page = await live(rig);
  const snapshot = await page.until(({ type }) => type === "snapshot");
  assert(snapshot.type === "snapshot");
  assertEquals([names(snapshot.state.destinations), names(snapshot.state.tonight.destinations)], [inOrder, inOrder]);
  assertEquals(names(snapshot.state.jobs), ["spring", "guide"]);
});

Deno.test("files that no pattern wants are trouble, and the headline, until one is wanted", async () => {
  await using rig = await webRig();
  await rig.folder.write("data/m31.nef", "a raw image");
  await rig.post("/api/scan", {}).then((response) => response.body?.cancel());
  await using page = await live(rig);
  const told = (level: string) =>
    page.until((message) => message.type !== "beat" && message.state.headline?.level === level).then((message) => {
      assert(message.type !== "beat");
      return message.state.headline?.text ?? "";
    });
  await rig.until(async () => (await rig.json<TroubleList>("/api/trouble")).items[0]?.severity === "warning", "it is trouble");
  const { items: [item] } = await rig.json<TroubleList>("/api/trouble");
  assertEquals([item?.kind, item?.severity, item?.what], ["job", "warning", "default"]);
  assertStringIncludes(item?.message ?? "", "m31.nef");
  assertStringIncludes(await told("warning"), "None of the files of default matches the patterns");
  await rig.folder.write("data/m31.fits", fitsFile(3000));
  await rig.until(delivered(rig, 1), "delivered");
  assertEquals((await rig.json<TroubleList>("/api/trouble")).count, 0);
});
