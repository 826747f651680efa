/** Phone numbers: those that their form gives away, and runs of digits that a word before them calls one. */

/** A run of digits as numbers are grouped; what it is, is looked at afterwards. */
const NUMBER =
  /(?<![\p{L}\p{N}_.,+#$€£/=:-])(?:\+|00[ .-]?)?\(?\d(?:[ \u00A0./()-]{0,3}\d){6,16}(?![\p{L}\p{N}_%€$£]|[.,:/-]\d)/gu;
const CALLED =
  /(?:phone|tele?f|tel|mobile|mobil|m[óo]vil|cell|celular|fax|whats ?app|call|dial|sms|appelez|llam[ae]r?|ligue|anruf|contato|contacto|电话|電話|手机|手機|联系|聯繫|携帯|전화)\p{L}{0,8}[\p{L}\s.:：#(（-]{0,16}$/iu;

const NORTH_AMERICA = /^(?:1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}([-.]))[2-9]\d{2}[-. ]\d{4}$/;
/** A trunk prefix, then groups: "030 1234567", "01 23 45 67 89", "(011) 4321-1234", "0171/1234567". */
const TRUNK = /^\(?0\d{1,4}\)?(?:[ /-]{1,3}\d{2,8}){1,4}$/;
const BRAZIL = /^\(\d{2}\) ?9?\d{4}[- ]\d{4}$/;
const CHINESE_MOBILE = /^1[3-9]\d{9}$/;
const DATE = /^(?:\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)\d{2}|(?:19|20)\d{2}[./ -]\d{1,2}[./ -]\d{1,2})/;

const isPhone = (found: string, before: string): boolean => {
  const digits = found.replace(/\D/g, '').length;
  if (DATE.test(found)) return false;
  if (found.startsWith('+')) return digits >= 8 && digits <= 15 && !found.startsWith('+0');
  if (/^00[ .-]?[1-9]/.test(found)) return digits >= 10 && digits <= 17 && /[ ./()-]/.test(found);
  if (NORTH_AMERICA.test(found) || BRAZIL.test(found)) return true;
  if (TRUNK.test(found)) return digits >= 9 && digits <= 12;
  if (CHINESE_MOBILE.test(found)) return /\p{Script=Han}[^\d\n]{0,12}$/u.test(before) || CALLED.test(before);
  return digits >= 7 && digits <= 15 && CALLED.test(before);
};

export const findPhones = (text: string): [start: number, end: number][] => {
  const found: [number, number][] = [];
  for (const match of text.matchAll(NUMBER)) {
    const start = match.index;
    // A closing bracket that nothing opened belongs to the sentence.
    let body = match[0];
    if (body.startsWith('(') && !body.includes(')')) body = body.slice(1);
    const at = start + match[0].length - body.length;
    if (isPhone(body, text.slice(Math.max(0, at - 40), at))) found.push([at, at + body.length]);
  }
  return found;
};
