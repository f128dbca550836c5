/** Real data that nobody made for this program: the world's countries and airports, with codes that are missing or shared. */
import airportData, { type Airport } from 'airport-data-js';
import countries, { type Country } from 'world-countries';

export interface CodedRecord {
  recordId: string;
  name: string;
  /** Codes by the system that knows the record under them; systems that have none for it are absent. */
  codes: Record<string, string>;
}

const AIRPORT_TYPES = ['large_airport', 'medium_airport', 'small_airport', 'heliport', 'seaplane_base'];

/** Countries by their ISO alpha-3 code, with the codes of a shop, an ERP, a sports federation and a telephone directory. */
export function readCountries(): CodedRecord[] {
  return (countries as unknown as readonly Country[]).map((country) => ({
    recordId: country.cca3,
    name: country.name.common,
    codes: given({ shop: country.cca2, erp: country.ccn3, federation: country.cioc, telephone: callingCode(country) }),
  }));
}

/** Airports by whichever code they have, known to a booking system by IATA and to air traffic control by ICAO codes. */
export async function readAirports(): Promise<CodedRecord[]> {
  const airports: Airport[] = [];
  for (const type of AIRPORT_TYPES) airports.push(...(await airportData.getAirportsByType(type)));
  return airports.map((airport) => ({
    recordId: airport.icao || `iata-${airport.iata}`,
    name: airport.airport,
    codes: given({ booking: airport.iata, control: airport.icao }),
  }));
}

/** Where a country has many area codes below its root (+1, +7), the root is all that the directory has for it. */
function callingCode({ idd: { root, suffixes } }: Country): string {
  return suffixes.length === 1 ? `${root}${suffixes[0]}` : root;
}

function given(codes: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(codes).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}
