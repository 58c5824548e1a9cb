/** One limit for the line of this computer, whatever jobs, destinations and methods send at the same time. */
import { assert, assertEquals } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { bytesIn, everyDelivered, makeRig } from "./rig.ts";

const LIMIT = 4e6;
const BYTES = 3_000_000;
/** What pipes and sockets may hold when the first bytes are seen. */
const ON_THE_WAY = 1_000_000;

Deno.test(
  "two jobs with one destination, and two destinations of one job, keep the limit of the line together",
  needs("sshd", "rsync"),
  async () => {
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
    for (const path of ["a", "b"]) await Deno.writeFile(folder.at(path, "image.fits"), fitsFile(BYTES, 1));
    const landed = () => bytesIn(folder.at("nas")) + bytesIn(folder.at("freya"));
    await until(() => landed() > 0, "something lands");
    const [began, before] = [performance.now(), landed()];
    await until(() => landed() >= 3 * BYTES, "all has landed");
    const [seconds, bytes] = [(performance.now() - began) / 1000, landed() - before];
    await installation.until(everyDelivered(3));
    assertEquals(await daemon.stop(), 0);
    assert(bytes <= 1.05 * LIMIT * seconds + ON_THE_WAY, `${bytes} bytes in ${seconds} s`);
  },
);
