/**
 * Names of files that cannot be opened. No imports at run time: the Worker of the walk bundles it too.
 *
 * @module
 */

/** Why, as in `"night/???.fits" was left out: its name is not valid UTF-8`: Deno cannot open it under any name. */
export const NOT_UTF8 = "its name is not valid UTF-8";

/** Why, where {@linkcode isDeviceName}. */
export const DEVICE_NAME = "Windows reserves this name for a device: rename the file on the computer that created it";

/**
 * True for `CON`, `aux.fits`, `name.` and the like, as one part of a path. Windows takes them for a device, or shortens them, in every
 * folder, so it cannot open a file of that name that was made on a share or by another system.
 */
export function isDeviceName(name: string): boolean {
  return DEVICE.test(name) || /[. ]$/.test(name);
}

const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/i;
