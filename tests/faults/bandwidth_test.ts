/**
 * One limit for the line of this computer, whatever jobs, destinations and methods send at the same time.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { everyDelivered, makeRig } from "./rig.ts";

const LIMIT = 4e6;
const BYTES = 3_000_000;

Deno.test({
  name: "two jobs with one destination, and two destinations of one job, keep the limit of the line together",
  ignore: !has("sshd", "rsync"),
  async fn() {
    await using rig = await makeRig({ method: "tar", config: { bandwidth_limit: LIMIT } });
    const { installation, folder, server } = rig;
    const to = (name: string, method: string, base: string) => ({
      ...{ name, transfer_method: method, remote_host: server!.host, remote_base_path: folder.at(base) },
      layout: `${name}/{path}`,
    });
    const jobs = [
      { name: "a", watch_path: folder.at("a"), destinations: [to("nas", "tar", "nas"), to("freya", "sftp", "freya")] },
      { name: "b", watch_path: folder.at("b"), destinations: [to("nas again", "rsync", "nas")] },
    ];
    const { watch_path: _, ...config } = JSON.parse(await Deno.readTextFile(installation.configFile));
    await Deno.writeTextFile(installation.configFile, JSON.stringify({ ...config, jobs }));
    for (const path of ["a", "b"]) await Deno.mkdir(folder.at(path));
    await using daemon = await installation.start();
    const began = performance.now();
    for (const path of ["a", "b"]) await Deno.writeFile(folder.at(path, "image.fits"), fitsFile(BYTES, 1));
    await installation.until(everyDelivered(3));
    const rate = 3 * BYTES / (performance.now() - began) * 1000;
    assertEquals(await daemon.stop(), 0);
    assert(rate <= 1.05 * LIMIT, `${Math.round(rate)} B/s`);
  },
});
