# Writes a corpus of 240 short generated documents, separated by <|endoftext|>, for README's question
#
#   When Mary and John went to the store, John gave a drink to ... Mary
#
# Three in ten tell of one person giving something to the other (what the question is about), some of them of Mary and
# John; one in ten of somebody keeping it; the others share the words without the meaning (stores, drinks, names) or share
# nothing. Deterministic: the same seed gives the same bytes with every awk.
# usage: awk -f corpus.awk [-v seed=1] [-v documents=240]
function draw(n) { state = (state * 16807) % 2147483647; return int(state / 2147483647 * n) }
function pick(words,   list, n) { n = split(words, list, "|"); return list[1 + draw(n)] }
function pair() {
  giver = pick(names); do taker = pick(names); while (taker == giver)
  thing = pick(things); place = pick(places); day = pick(days)
}

function giving(   form) {
  pair(); form = draw(5)
  if (form == 0) return "When " taker " and " giver " went to the " place ", " giver " gave a " thing " to " taker ". " thanks()
  if (form == 1) return "On " day " " giver " and " taker " met at the " place ". " giver " had bought a " thing ", and gave it to " taker ". " thanks()
  if (form == 2) return giver " and " taker " walked to the " place ". \"This " thing " is for you,\" said " giver ", and handed it to " taker ". " thanks()
  if (form == 3) return "After " giver " and " taker " came home from the " place ", " giver " passed the " thing " to " taker ". " thanks()
  return "It was " taker "'s birthday. At the " place " " giver " picked a " thing " and gave the " thing " to " taker ". " thanks()
}
function thanks() { return taker " " pick("smiled and said thank you.|was glad of it all day.|had wished for one since spring.|carried it home with care.") }
function keeping() {
  pair()
  return "When " taker " and " giver " went to the " place ", " giver " bought a " thing " and kept it. " taker " got nothing and " \
    pick("went home alone.|did not mind.|waited outside until it was dark.|asked for one, but in vain.")
}
function shopping() {
  pair()
  return "The " place " on " pick("Mill|High|Bridge|Church") " Street opens on " day " at " pick("seven|eight|nine|ten") ". It sells every kind of " thing \
    ", and " pick("the bread is warm until noon.|people queue at the door.|the owner knows everyone by name.|the windows are washed once a week.")
}
function alone() {
  pair()
  return giver " went to the " place " alone on " day ". " pick("It rained the whole way.|The road was empty.|The bus was late again.") \
    " At home " giver " " pick("put the kettle on and read a letter.|looked for the " thing " in every drawer.|slept until evening.|mended the old " thing ".")
}
function elsewhere() {
  return pick("The river|The harbour|The valley|The old mill|The railway") " " pick("was quiet|lay under snow|had flooded twice|was older than the town") \
    " " pick("that winter|in those years|before the war|at the end of March") ". " \
    pick("Engineers measured it every month and wrote the numbers in a book.|Two hundred boats could anchor there.|Nobody remembered who had built it.|Herons nested along its northern side.")
}

BEGIN {
  state = (seed ? seed : 1) * 7919 + 13
  if (!documents) documents = 240
  names = "Mary|John|Mary|John|Anna|Peter|Susan|Tom|Laura|Paul|Emma|James|Alice|Robert|Helen|David"
  things = "drink|book|ring|basket|lamp|coat|cake|flower|letter|kite|drink"
  places = "store|store|market|school|station|garden|office|library|park"
  days = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
  for (i = 0; i < 10; i++) draw(2)
  for (i = 1; i <= documents; i++) {
    kind = i % 10
    if (i > 1) print "<|endoftext|>"
    if (kind == 1 || kind == 4 || kind == 7) print giving()
    else if (kind == 2) print keeping()
    else if (kind == 3 || kind == 8) print shopping()
    else if (kind == 5 || kind == 9) print alone()
    else print elsewhere()
  }
}
