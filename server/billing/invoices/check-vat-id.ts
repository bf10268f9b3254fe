import { NetraError } from '@netra/contract';
import { checkVAT, countries } from 'jsvat-next';

/**
 * A VAT id as it is kept: capitals and digits only. Where the country's form is known it must have that form, its check
 * digits must be right, and it must be of that country. Whether it was really given out only the authorities know
 * (VIES): nobody is asked. Throws `invalid_request`.
 */
export function checkVatId(vat_id: string, country: string): string {
  const plain = vat_id.replaceAll(/[\s.-]/g, '').toUpperCase();
  const known = countries.filter(({ codes }) => codes.includes(country));
  if (known.length === 0) {
    if (/^[A-Z0-9]{2,20}$/.test(plain)) return plain;
    throw new NetraError('invalid_request', 'A tax id is 2 to 20 letters and digits.', { fields: ['vat_id'] });
  }
  const { isValid, value = plain } = checkVAT(plain, known);
  if (isValid) return value;
  throw new NetraError('invalid_request', `This is no VAT id of ${country}: its form or its check digits are wrong.`, {
    fields: ['vat_id'],
  });
}
