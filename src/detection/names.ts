import type { DetectionKind } from './detection.ts'

/** What a column may hold: what values show, and what only a name can tell. */
export type ColumnConcept = DetectionKind | 'name' | 'address' | 'birth_date'

/** What a column's name says. `strong`: enough by itself; `weak`: to be confirmed by what it holds. */
export interface NameHint {
  readonly concept: ColumnConcept
  readonly strength: 'strong' | 'weak'
  /** The words of the name that say it, such as `first name`. */
  readonly words: string
}

/** What the name of a column says it holds, the relation's name helping; null where it says nothing. */
export function hintOfName(column: string, relation = ''): NameHint | null {
  const words = wordsOf(column)
  const last = words.at(-1) ?? ''
  const text = ` ${words.join(' ')} `
  // `email_sent_at`, `token_count`, `has_password`: about a value rather than it. But `tax_id` is one.
  const isQuestion = questionWords.has(words[0] ?? '')
  const isAbout = words.length > 1 && (aboutWords.has(last) || isQuestion)
  for (const { concept, strength, phrases } of ordered) {
    for (const phrase of phrases) {
      const spelling = [phrase, phrase.replaceAll(' ', '')].find((each) => text.includes(` ${each} `))
      if (spelling === undefined || (isAbout && (isQuestion || !text.endsWith(` ${spelling} `)))) continue
      return { concept, strength, words: phrase }
    }
  }
  const isOfPeople = wordsOf(relation).some((word) => peopleWords.has(word) || peopleWords.has(word.replace(/s$/u, '')))
  return !isAbout && isOfPeople && nameWords.has(last) ? { concept: 'name', strength: 'weak', words: last } : null
}

/** The words of a name in snake_case, camelCase or with blanks: lower case, without accents and numbers at their end. */
export function wordsOf(name: string): readonly string[] {
  return name
    .slice(0, 200)
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')
    .replaceAll('ß', 'ss')
    .replaceAll(/(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu, ' ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .map((word) => (/^ipv?[46]$/u.test(word) ? 'ip' : word.replace(/(?<=\p{L})\d+$/u, '')))
    .filter((word) => word !== '')
}

const aboutWords = new Set(
  'at on count counter id ids type kind status state verified confirmed valid sent enabled disabled required optional format template length expires expiry expiration ttl version source provider domain preference preferences opt optin consent flag score rank index order label lang language limit attempts tries changed updated created used'.split(
    ' ',
  ),
)
const questionWords = new Set(['is', 'has', 'can', 'should', 'must', 'allow', 'allows', 'use', 'uses', 'num', 'n'])
const nameWords = new Set(['name', 'nom', 'nombre', 'naam', 'nome', 'title', 'alias', 'nickname', 'initials'])
const peopleWords = new Set(
  'user customer client person people contact employee staff member patient student teacher passenger guest driver applicant candidate borrower tenant subscriber owner buyer seller recipient kunde kunden mitarbeiter benutzer personen patienten utilisateur personne employe usuario cliente empleado persona gebruiker klant medewerker persoon funcionario pessoa paciente'.split(
    ' ',
  ),
)

interface Hint {
  readonly concept: ColumnConcept
  readonly strength: NameHint['strength']
  readonly phrases: readonly string[]
}

/** English, then German, French, Spanish, Dutch and Portuguese. */
const hints: readonly Hint[] = [
  strong('secret', [
    'password, passwd, passphrase, pass word, pwd, passwort, kennwort, mot de passe, mdp, contrasena, wachtwoord, senha',
    'password hash, password digest, hashed password, encrypted password, client secret, shared secret, secret key',
    'api key, apikey, access key, private key, auth token, access token, refresh token, session token, bearer token',
    'reset token, api token, otp secret, totp secret, mfa secret, recovery code, recovery codes, security answer, pin code',
    'cvv, cvc, geheimnis',
  ]),
  weak('secret', [
    'token, credential, credentials, jwt, pin, salt, auth key, signing key, encryption key, webhook url',
  ]),
  strong('email', [
    'email, e mail, mail address, email address, correo, correo electronico, courriel, adresse mail, emailadres, correio eletronico',
  ]),
  weak('email', ['mail, mailto, contact email']),
  strong('phone', [
    'phone, phone number, telephone, mobile, mobile number, cell phone, cellphone, fax, msisdn, telefon, telefonnummer, handy',
    'handynummer, mobilnummer, rufnummer, tel, telefono, movil, portable, telefoon, telefoonnummer, telefone, celular, telemovel',
  ]),
  weak('phone', ['cell, whatsapp, contact number']),
  strong('card', [
    'card number, credit card, creditcard, cc number, card no, cardno, pan, kreditkarte, kartennummer, carte bancaire, numero carte',
    'tarjeta, numero tarjeta, creditcardnummer, cartao, numero cartao, payment card',
  ]),
  strong('iban', [
    'iban, bank account, account iban, bankverbindung, kontonummer, compte bancaire, cuenta bancaria, rekeningnummer, conta bancaria',
  ]),
  weak('iban', ['account number, bic, swift, routing number, sort code, rib']),
  strong('national_id', [
    'ssn, social security, social security number, sin, nin, nino, national id, national insurance, tax id, taxpayer id, itin',
    'passport, passport number, passport no, driver license, drivers license, driving licence, license number, identity number',
    'steuer id, steuernummer, steueridnr, sozialversicherungsnummer, personalausweis, reisepass, fuhrerschein, nir, numero secu',
    'securite sociale, numero securite sociale, passeport, dni, nie, nif, cif, pasaporte, codice fiscale, bsn',
    'burgerservicenummer, paspoort, pesel, cpf, cnpj, rg, aadhaar, aadhar, personnummer, curp, rfc',
  ]),
  strong('birth_date', [
    'dob, birth date, birthdate, birthday, date of birth, born, born on, birth day, geburtsdatum, geburtstag, geb datum',
    'date naissance, date de naissance, naissance, fecha nacimiento, fecha de nacimiento, nacimiento, geboortedatum, data nascimento',
    'data de nascimento, nascimento',
  ]),
  weak('birth_date', ['birth year, year of birth, age, geburtsjahr']),
  strong('name', [
    'full name, first name, last name, given name, family name, middle name, maiden name, surname, forename, display name',
    'birth name, legal name, customer name, contact name, patient name, employee name, cardholder, card holder, account holder',
    'fname, lname, vorname, nachname, familienname, geburtsname, name voll, prenom, nom de famille, nom complet, apellido, apellidos',
    'nombre completo, primer nombre, voornaam, achternaam, volledige naam, tussenvoegsel, sobrenome, apelido, nome completo',
    'primeiro nome, ansprechpartner',
  ]),
  weak('name', ['username, user name, login, nickname, nick name, screen name, author, recipient, sender, nachnahme']),
  strong('address', [
    'street, street address, home address, postal address, mailing address, address line, shipping address, billing address',
    'delivery address, house number, zip, zip code, zipcode, postal code, postcode, strasse, str, hausnummer, hausnr, plz',
    'postleitzahl, anschrift, rue, code postal, adresse postale, calle, direccion, codigo postal, domicilio, straat, huisnummer',
    'woonadres, rua, endereco, cep, logradouro',
  ]),
  weak('address', [
    'address, adresse, adres, addr, city, town, ort, stadt, wohnort, ville, ciudad, plaats, woonplaats, cidade, latitude, longitude, geo, location',
  ]),
  strong('ip', ['ip, ip address, ipaddress, ip addr, client ip, remote ip, remote addr, user ip, client addr']),
  strong('mac', ['mac address, macaddress, mac addr, hwaddr, hardware address']),
  weak('mac', ['mac, device id, imei, imsi, idfa, serial number']),
]

const ordered: readonly Hint[] = [
  ...hints.filter(({ strength }) => strength === 'strong'),
  ...hints.filter(({ strength }) => strength === 'weak'),
]

function strong(concept: ColumnConcept, lines: readonly string[]): Hint {
  return { concept, strength: 'strong', phrases: lines.flatMap((line) => line.split(', ')) }
}

function weak(concept: ColumnConcept, lines: readonly string[]): Hint {
  return { concept, strength: 'weak', phrases: lines.flatMap((line) => line.split(', ')) }
}
