/**
 * Names that Windows takes for a device, or shortens, wherever they stand: a file of that name (made on a share, or by another
 * system) cannot be opened by it.
 *
 * @module
 */

/** True for `CON`, `aux.fits`, `name.` and the like, as one part of a path. */
export function isDeviceName(name: string): boolean {
  return DEVICE.test(name) || /[. ]$/.test(name);
}

const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/i;

/** What a person is told of it. */
export const DEVICE_NAME = "Windows reserves this name for a device: rename the file on the computer that created it";
