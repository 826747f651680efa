/** JSON Schema for stages: values checked by schemas that users wrote. The only module of the stages that imports `ajv`. */
import type { ErrorObject } from 'ajv';

/** What is wrong with a value, in a few words; null when it fits. */
export type Check = (value: unknown) => string | null;

const MOST = 3;

/** Throws ajv's error for what is no schema. */
export const compileSchema = async (schema: object): Promise<Check> => {
  const { Ajv } = await import('ajv');
  // Formats are not in the language that models are held to by servers either.
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false, unicodeRegExp: true });
  const validate = ajv.compile(schema);
  return value => {
    if (validate(value)) return null;
    const errors = validate.errors ?? [];
    const told = errors.slice(0, MOST).map(inWords).join('; ');
    return errors.length > MOST ? `${told}; and ${errors.length - MOST} more` : told;
  };
};

const inWords = ({ instancePath, message, params }: ErrorObject): string => {
  const at = instancePath === '' ? 'it' : instancePath.slice(1).replaceAll('/', '.');
  const { additionalProperty, allowedValues } = params as { additionalProperty?: string; allowedValues?: unknown[] };
  const more = additionalProperty ?? (allowedValues ? allowedValues.map(v => JSON.stringify(v)).join(', ') : undefined);
  return `${at} ${message ?? 'does not fit'}${more === undefined ? '' : ` (${more})`}`;
};
