"""Words with a capital that are nobody in a classroom, and names that are words too: what `utta.core.names` knows of English.

The lists are short on purpose: they hold what stands where a name could stand ("Thanks, Monday works", "I'm Done"). Names
of cultures are no list here: who is known by name alone belongs into a roster.
"""

NO_NAMES = frozenset(
    # how a sentence begins, and what is said to somebody
    """ a about above absolutely according accordingly actually add additionally after afternoon afterwards again ah aha
    ahead all almost alright also although always am amazing an and another answer any anybody anyone anything
    anyway apologies are aren't as ask at awesome aww back basically be because before below besides best between
    both bravo brilliant but by bye calculate call can can't cannot cant careful certainly check clearly close come
    compare complete congratulations consider continue cool correct could couldn't count dear decide define
    definitely describe did didn't discuss divide do does doesn't doing don't done dont draw each earned easy effort
    eh either else equal er erm even evening eventually every everybody everyone everything exactly example
    excellent except explain fabulous fair fantastic few final finally find fine first firstly five follow following
    for forget four friend friends from further generally get give given go good goodbye gosh got great guess guys
    ha had haha half hang happy hard has have haven't having he hello help her here hers hey hi his hmm hold how
    however huh i i'd i'll i'm i've if im imagine impressive in incorrect indeed instead interesting into is isn't
    it it's its ive just keep kind kindly know last lastly later least let let's lets like likewise list listen look
    lots love lovely make many marvellous maybe me mean meanwhile might mine minus more moreover morning most much
    multiply must my name near nearly neat neither never nevertheless next nice night nine no nobody none nope nor
    not note nothing now nowhere obviously of off oh ok okay on once one only ooh oops or other otherwise ouch our
    ours out over part pay perfect perhaps phew place plain please plus point possibly practically precisely prepare
    pretty previously probably quick quickly quite rather read ready really regards remember repeat respond right
    round same say second secondly see seven several shall she should show similarly simple simply since sincerely
    sir six so solve some somebody someone something sometimes somewhere soon sorry splendid spot start state still
    stop such suddenly super suppose sure surely take tell ten terrific than thank thanks that that's thats the
    their theirs them then there there's therefore these they they're think third this those though three through
    thus to today together tomorrow tonight too total totally tough true truly try turn two ugh um under
    unfortunately unless until up upon us use usually very wait was wasn't watch we we'll we're we've welcome well
    were what what's whatever whats when whenever where whereas wherever whether which whichever while who whoa
    whoever whole whom whose why will with within without won't wonder wonderful work would wow write wrong yay yeah
    yep yes yesterday yet yikes you you'll you're you've your youre yours yup zero """
    # how one feels and what one is
    """ able absent afraid african alone american angry asian australian brazilian british canadian chinese christian
    cold confused curious dead dutch early eight english european excited finished french friday german glad gone
    good greek here hindu hot hungry indian irish italian japanese jewish korean late latin left lost mad mexican
    muslim nervous new old polish portuguese ready roman russian sad scared scottish serious sick sleepy spanish
    stressed stuck student studying swedish sweet tired trying turkish unsure upset using weird welsh working
    worried young """
    # of school
    """ aita algebra algorithm angle area art arts assignment assistant aunt auntie author axis baby biology book
    brother calculus chapter chemistry class classmates classroom club coach column computer conversation cousin
    criterion cube dad daddy dads data day decimal denominator diagram dialogue difference dog dr earth ecology
    economics equation error essay everyone exam excel exercise expert factor father feedback fraction function gang
    gentlemen geography geometry google grade grammar grandma grandpa granny graph greetings group guardian hint
    history homework internet java javascript judge judgement khan kids lab ladies language learner learners lesson
    level library line literature ma'am madam math mathematician mathematicians mathematics maths metaphor method
    miss mister model mom momma mommy moms moon mother mr mrs ms mum mummy mums music mx nana notebook numerator
    page papa paragraph parent parents passage people percent persona photosynthesis physics planet poem power prime
    principal problem product prof professor profile pupil pupils python quadrant question question's quiz quotient
    ratio rationale reader remainder response result reviewer room rubric rule scholars school science scientist
    scientists section sentence session sir sister solution speaker spelling sport square statistics step story
    student students subject subtract sum summary sun system table task teacher teachers team teams test text
    theorem title triangle turtle tutor tutors uncle unit user value variable volume week wikipedia word world
    writer year youtube zoom """
    # days, months, places
    """ africa america antarctica april asia august australia austria autumn belgium brazil britain california canada
    chicago chile china christmas colombia december denmark diwali dublin easter egypt england ethiopia europe fall
    february finland florida france friday germany ghana greece halloween hanukkah hawaii hungary iceland india
    indonesia iran iraq ireland israel italy jamaica january japan july june kenya korea london march may mexico
    monday morocco moscow nepal netherlands nigeria norway november october pakistan paris peru philippines poland
    portugal ramadan romania rome russia saturday scotland september singapore spain spring summer sunday sweden
    switzerland sydney syria texas thailand thanksgiving thursday tokyo toronto tuesday turkey uganda uk ukraine us
    usa vietnam wales washington wednesday winter york zealand """
    # short for something
    """ adhd ap atm bodmas cm dna eu faq fyi gcf gcse gpa hcf id idk imo it ixl json kg km lcd lcm lol ml mm mp omg pdf
    pe pemdas rna sat stem svg tv un url usb vs wifi xml """.split()
)

FAMOUS = frozenset(
    """ archimedes aristotle avogadro bach beethoven bernoulli bohr boole brahmagupta cantor cartesius celsius chopin
    cinderella cleopatra columbus copernicus coulomb curie dalton darwin descartes dickens edison einstein
    eratosthenes euclid euler fahrenheit faraday fermat fibonacci franklin galileo gandhi gauss goldilocks hamlet
    hawking heisenberg heron hilbert homer hooke hypatia joule juliet jupiter kelvin kepler khwarizmi lagrange
    laplace lavoisier leibniz leonardo lincoln linnaeus lovelace macbeth mars maxwell mendel mendeleev mercury
    michelangelo mozart napier napoleon neptune newton nightingale nobel noether odysseus ohm othello pascal pasteur
    penelope picasso planck plato pluto ptolemy pythagoras ramanujan rembrandt riemann romeo rosa rutherford santa
    saturn schrödinger shakespeare simpson socrates tesla thales turing uranus venn venus volta voltaire watt """.split()
)

# Names that are words: of these a capital alone says nothing.
WORD_NAMES = frozenset(
    """ amber angel april art august autumn bill blue bob brook brown carol chance charity charm chase christian chuck
    clay cliff crystal daisy dale dawn dean drew earl eve faith fern flora forest frank gene ginger glen grace grant
    gray green hazel heath heather holly hope hunter iris ivy jack jade jasmine jay jean jewel joy june king lane
    laurel lee lily long major march mark marsh mason max may melody mercy mike miles mill miller nick noble norm
    olive page park parker pat patience pearl penny peter pierce poppy porter price ray reed rich rob robin rocky
    rod rose ruby ruth sage skip sky star sterling stone storm sue summer sunny tan taylor ted trinity tuck victor
    violet wade ward warren white will willow winter wood wren young """.split()
)
MONTHS = frozenset("april august june march may summer autumn winter".split())
