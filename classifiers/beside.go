package classifiers

import "bytes"

// asideKind is what words tell that are read only where a detector asks for them:
// the names of columns, notes on whose code it is. They are in a
// lexicon of their own, for as context of numbers they would be met everywhere.
type asideKind uint16

const (
	kindNone asideKind = iota
	kindOwned
	kindOpen
	// The names of columns of personal data.
	kindEmail
	kindPhone
	kindFirstName
	kindLastName
	kindName
	kindBirth
	kindStreet
	kindPostcode
	kindCity
	kindPersonID
	kindGender
	kindAccount
	kindTitle
	nAsideKinds
)

// asideWords are the words of each kind, in English, German, French, Spanish, Italian
// and Polish.
var asideWords = [nAsideKinds][]string{
	// Only what is said of nobody's free software: "all rights reserved", "proprietary"
	// alone and "for internal use only" stand in it too.
	kindOwned: w("proprietary and confidential", "confidential and proprietary", "proprietary information", "strictly confidential", "company confidential", "trade secret", "trade secrets", "unpublished proprietary",
		"streng vertraulich", "firmengeheimnis", "firmenvertraulich", "betriebsgeheimnis", "geschäftsgeheimnis",
		"strictement confidentiel", "secret des affaires", "confidentiel entreprise",
		"estrictamente confidencial", "secreto comercial", "secreto empresarial",
		"strettamente riservato", "segreto commerciale", "segreto industriale",
		"ściśle poufne", "tajemnica przedsiębiorstwa", "tajemnica handlowa"),
	kindOpen: w("apache license", "gnu general public", "gnu lesser general", "gnu affero general", "general public license", "mit license", "mozilla public license", "bsd style license", "free software", "permission is hereby granted", "spdx license identifier",
		"redistribution and use in", "public domain", "eclipse public license", "isc license", "open source", "boost software license", "creative commons", "artistic license", "permission to use copy"),
	kindEmail: w("email", "e mail", "mail", "email address", "e mail address", "emailaddress", "mailadresse", "email adresse", "e mail adresse", "courriel", "adresse mail", "adresse e mail", "adresse électronique",
		"correo", "correo electrónico", "correo electronico", "posta elettronica", "indirizzo email", "indirizzo e mail", "adres email", "adres e mail", "poczta"),
	kindPhone: w("phone", "telephone", "tel", "mobile", "cell", "cellphone", "phone number", "phonenumber", "mobile number", "telefon", "telefonnummer", "handy", "handynummer", "rufnummer", "mobil", "mobilnummer", "téléphone", "telephone portable", "portable", "numéro de téléphone",
		"teléfono", "telefono", "móvil", "movil", "celular", "número de teléfono", "cellulare", "numero di telefono", "komórka", "komorka", "numer telefonu", "nr telefonu"),
	kindFirstName: w("first name", "firstname", "given name", "givenname", "forename", "fname", "vorname", "prénom", "prenom", "primer nombre", "nome", "imię", "imie"),
	kindLastName:  w("last name", "lastname", "surname", "family name", "familyname", "lname", "nachname", "familienname", "zuname", "nom", "nom de famille", "apellido", "apellidos", "primer apellido", "cognome", "nazwisko"),
	kindName: w("name", "full name", "fullname", "contact name", "customer name", "employee name", "client name", "patient name", "contact", "vollständiger name", "kundenname", "ansprechpartner", "nom complet", "nombre", "nombre completo",
		"nome completo", "nome e cognome", "nominativo", "imię i nazwisko", "imie i nazwisko", "klient"),
	kindBirth:    w("date of birth", "dateofbirth", "birth date", "birthdate", "birthday", "dob", "age", "geburtsdatum", "geburtstag", "geboren", "date de naissance", "né le", "fecha de nacimiento", "nacimiento", "data di nascita", "data urodzenia"),
	kindStreet:   w("address", "street", "street address", "home address", "address line", "adresse", "anschrift", "straße", "strasse", "hausnummer", "rue", "dirección", "direccion", "domicilio", "calle", "indirizzo", "via", "adres", "ulica"),
	kindPostcode: w("zip", "zip code", "zipcode", "postal code", "postalcode", "postcode", "plz", "postleitzahl", "code postal", "código postal", "codigo postal", "cap", "codice postale", "kod pocztowy"),
	kindCity:     w("city", "town", "ort", "stadt", "wohnort", "ville", "ciudad", "localidad", "città", "citta", "comune", "miasto", "miejscowość", "miejscowosc"),
	kindPersonID: w("ssn", "social security number", "national id", "passport", "passport number", "tax id", "insurance number", "steuernummer", "steuer id", "sozialversicherungsnummer", "personalnummer", "ausweisnummer", "numéro de sécurité sociale", "dni", "nif", "nie", "codice fiscale", "pesel", "numer dowodu", "employee id"),
	kindGender:   w("gender", "sex", "geschlecht", "sexe", "genre", "sexo", "género", "sesso", "genere", "płeć", "plec"),
	kindAccount:  w("iban", "account number", "bank account", "kontonummer", "bankverbindung", "numéro de compte", "número de cuenta", "numero di conto", "conto corrente", "numer konta", "salary", "gehalt", "salaire", "salario", "stipendio", "wynagrodzenie"),
	kindTitle:    w("job title", "jobtitle", "position", "occupation", "beruf", "anrede", "salutation", "civilité", "puesto", "cargo", "professione", "stanowisko"),
}

// compileAside makes the lexicon of the words that are read on demand.
func (c *Catalog) compileAside() {
	kinds := make([]Detector, nAsideKinds)
	for i, words := range asideWords {
		kinds[i].Context = words
	}
	c.aside.build(kinds, make([]uint64, len(kinds)))
}

// kinds calls f with each kind that a word in b tells, and the word's place.
func (s *Scanner) kinds(b []byte, f func(kind asideKind, at, n int)) {
	c, m := s.c, &s.aside
	*m = contextMarks{m: m.m[:0]}
	m.cover(&c.aside, &window2{b: b}, nil, 0, uint64(len(b)))
	for _, k := range m.m {
		for _, ref := range c.aside.lists[k.list] {
			f(asideKind(ref>>1), int(k.at), int(k.n))
		}
	}
}

// columnKind gives what personal data a column holds by its name: what the longest
// phrase in it says.
func (s *Scanner) columnKind(name []byte) asideKind {
	name = bytes.Trim(name, " \"'\r\t\xef\xbb\xbf")
	if len(name) < 2 || len(name) > 40 {
		return kindNone
	}
	kind, best := kindNone, 0
	s.kinds(name, func(k asideKind, _, n int) {
		if k >= kindEmail && n > best {
			kind, best = k, n
		}
	})
	return kind
}
