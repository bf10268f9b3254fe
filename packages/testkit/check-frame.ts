import { asyncApiDocument } from '@netra/contract';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

interface Document {
  readonly components: { readonly messages: Readonly<Record<string, { readonly payload: object }>> };
  readonly operations: Readonly<Record<Way, { readonly messages: readonly { readonly $ref: string }[] }>>;
}

type Way = 'fromClient' | 'fromServer';

// The document is what others write their clients by: it is read here as they would read it, by a validator that is
// not ours. `format` says nothing that the patterns beside it do not.
const ajv = new Ajv({ strict: true, validateFormats: false, allErrors: true });
// The document is made of schemas, and has this shape (packages/contract/asyncapi.test.ts).
const document = asyncApiDocument() as unknown as Document;
const allowed: Readonly<Record<Way, ReadonlySet<string>>> = {
  fromClient: namesOf('fromClient'),
  fromServer: namesOf('fromServer'),
};
const compiled = new Map<string, ValidateFunction>();

function namesOf(way: Way): ReadonlySet<string> {
  return new Set(document.operations[way].messages.map(({ $ref }) => $ref.slice($ref.lastIndexOf('/') + 1)));
}

/** Throws an Error unless docs/asyncapi.yaml says that such a frame travels this way. */
export function checkFrame(way: Way, frame: { readonly type: string }): void {
  const { type } = frame;
  if (!allowed[way].has(type)) throw new Error(`asyncapi.yaml knows no frame '${type}' ${way}`);
  const validate = compiled.get(type) ?? compile(type);
  if (!validate(frame)) throw new Error(`not what asyncapi.yaml says of '${type}': ${tell(validate.errors ?? [])}`);
}

function compile(type: string): ValidateFunction {
  const message = document.components.messages[type];
  if (message === undefined) throw new Error(`asyncapi.yaml has no message '${type}'`);
  const validate = ajv.compile(message.payload);
  compiled.set(type, validate);
  return validate;
}

function tell(errors: readonly ErrorObject[]): string {
  return errors.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('; ');
}
