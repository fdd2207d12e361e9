/** Photos in folders that are dropped; fetched where that happens. */

/** What else lies in a folder is left there without a word. */
const WANTED = /\.(jpe?g|png|webp|tiff?|bmp|hei[cf])$/i;

/**
 * Return dropped files, and the photos in dropped folders in the order of their names.
 * @param {FileSystemEntry[]} entries
 * @returns {Promise<File[]>}
 */
export async function filesOf(entries) {
  const found = entries.map(async (each) => (isFolder(each) ? filesOf(await inside(each)) : file(each)));
  return (await Promise.all(found)).flat();
}

/** @param {FileSystemDirectoryEntry} folder */
async function inside(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    all.push(...some);
  }
  all.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return all.filter((each) => each.isDirectory || WANTED.test(each.name));
}

/**
 * @param {FileSystemEntry} entry
 * @returns {entry is FileSystemDirectoryEntry}
 */
function isFolder(entry) {
  return entry.isDirectory;
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File>}
 */
function file(entry) {
  return new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
}
