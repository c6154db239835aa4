package classifiers

// bigrams says for each pair of letters how surprising the second is after the
// first, in bits up to nine: counted over English technical prose.
var bigrams = [26]string{
	"95459759597353959342569869", // a
	"49792999459399499647399949", // b
	"39683973594579299573599979", // c
	"48751798399698499647587969", // d
	"58436679799553867234967569", // e
	"49694499299579299465499969", // f
	"57692973499574399555499999", // g
	"29991999399989499774799999", // h
	"56455559998452469543959796", // i
	"49961899999998559929399999", // j
	"39671959399984989849697989", // k
	"49842889399389489855488949", // l
	"25972999499658439967499999", // m
	"49433639597676479932669969", // n
	"76547679697542559254455999", // o
	"39872996597399359354499959", // p
	"99989999999699999899099999", // q
	"49562669397754489544568959", // r
	"59562994398687459842499969", // s
	"49792892399789579446598949", // t
	"66574669599443859333999998", // u
	"29991999499999599999999999", // v
	"39794992299795489359997999", // w
	"38593698499959629882999679", // x
	"89596999599455619443897999", // y
	"49981999399799799899996964", // z
}

// gibberish reports whether letters are no words: their pairs are about as
// surprising as chance makes them.
func gibberish(b []byte) bool {
	sum, n := 0, 0
	for i := 1; i < len(b); i++ {
		x, y := b[i-1]|0x20, b[i]|0x20
		if x < 'a' || x > 'z' || y < 'a' || y > 'z' {
			continue
		}
		sum += int(bigrams[x-'a'][y-'a'] - '0')
		n++
	}
	return n >= 3 && sum*10 > n*gibberishBits
}

// gibberishBits is the limit, in tenths of bits per pair: words have 35 to 45,
// chance 60 and more.
const gibberishBits = 54
