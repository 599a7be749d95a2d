import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hintOfName, wordsOf } from './names.ts'

const strong: readonly (readonly [concept: string, names: string])[] = [
  ['email', 'email e_mail emailAddress EMAIL customer_email Email1 correo_electronico courriel emailadres'],
  ['phone', 'phone phone_number mobilePhone telefonnummer handy tel telefono telefoon celular fax'],
  ['card', 'card_number creditCard cc_number kreditkarte numero_tarjeta'],
  ['iban', 'iban customerIban bank_account kontonummer'],
  [
    'national_id',
    'ssn SSN social_security_number nino taxId passport_no steuer_id dni codice_fiscale bsn pesel cpf aadhaar',
  ],
  ['birth_date', 'dob birthdate birth_date dateOfBirth geburtsdatum date_naissance fechaNacimiento geboortedatum'],
  [
    'name',
    'full_name fullName firstname first_name lastName surname vorname Nachname prénom apellidos voornaam sobrenome',
  ],
  [
    'address',
    'street street_address zip zipCode postcode plz Straße code_postal calle straat endereço cep address_line1',
  ],
  ['ip', 'ip ip_address clientIp remote_addr ipv4'],
  ['mac', 'mac_address macAddress hwaddr'],
  [
    'secret',
    'password passwordHash password_digest pwd api_key apiKey access_token clientSecret cvv mot_de_passe senha',
  ],
]

const silent =
  'id created_at email_sent_at email_verified is_email token_count password_changed_at has_password product quantity ' +
  'name title description status total price currency sku notes order_id customer_id phone_type shipping_method tags ' +
  'pinned company panel iphone stringent rgb zipped born_again_count hotel'

describe('the name of a column', () => {
  for (const [concept, names] of strong) {
    test(`says ${concept}`, () => {
      for (const name of names.split(' ')) {
        assert.deepEqual(
          { concept: hintOfName(name)?.concept, strength: hintOfName(name)?.strength },
          { concept, strength: 'strong' },
          name,
        )
      }
    })
  }

  test('says nothing where it is about something else', () => {
    for (const name of silent.split(' ')) assert.equal(hintOfName(name), null, name)
  })

  test('says a little where it could be', () => {
    for (const name of ['token', 'address', 'city', 'username', 'age'])
      assert.equal(hintOfName(name)?.strength, 'weak', name)
  })

  test('says more in a table of people', () => {
    assert.equal(hintOfName('name', 'customers')?.concept, 'name')
    assert.equal(hintOfName('nom', 'UtilisateurActif')?.concept, 'name')
    assert.equal(hintOfName('name', 'products'), null)
  })

  test('is taken apart into words', () => {
    assert.deepEqual(wordsOf('homeIPAddress_2ndLine3'), ['home', 'ip', 'address', '2nd', 'line'])
    assert.deepEqual(wordsOf('Größe der Straße'), ['grosse', 'der', 'strasse'])
    assert.deepEqual(wordsOf('__'), [])
  })
})
