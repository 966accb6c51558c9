// The table that is judged: held by this page alone, and sent whole each time it is judged.

import { Refused, get, latest, post } from "../server.js";
import { language, number, t } from "../words.js";

const MIB = 2 ** 20;
const newest = latest();
let most = null;
let table = null;

/** The table of the moment: `{ name, said }`, or null; `said` is what its user has corrected. */
export function held() {
  return table;
}

/** Hold `file` in the place of the table of before, unless another is given meanwhile. Raises
 *  Refused if it cannot be used. */
export async function hold(file) {
  table = null;
  table = await newest(read(file));
}

async function read(file) {
  most ??= (await get("api/knobs", { outlives: true })).limits.table_bytes;
  if (file.size > most) {
    const sizes = { size: number(file.size / MIB, 1), most: number(most / MIB) };
    throw new Refused(0, { why: t("ui.judge.too_large", { file: file.name, ...sizes }) });
  }
  return { name: file.name, content: await inBase64(file), said: {} };
}

/** Judge it, as far as its user has said what its columns are. Raises as `post` does. */
export function judge() {
  const question = { file: table.name, ...table.said };
  return post(`api/judge?lang=${language()}`, { table: table.content, question });
}

function inBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(new Refused(0, { error: "bad_upload" })); // a folder, say
    reader.readAsDataURL(file);
  });
}
