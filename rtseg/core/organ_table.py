"""The organs that rtseg knows, as data; ``rtseg.core.anatomy`` turns the rows into values.

Names are TG-263 primary names (AAPM Task Group 263), except those in BEYOND_TG263. Codes are SNOMED CT concepts without
side, value and meaning as pydicom's code dictionary has them; a blank means that the dictionary has no such concept.
"""

BEYOND_TG263 = ("BuccalMucosa", "Eye_A{}", "Eye_P{}", "CouchSurface", "CouchInterior")
"""Names that the TG-263 list lacks: the first three are those of the HaN-Seg data set, the couch those of Eclipse."""

ORGAN_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    # name ({}: L and R), DICOM interpreted type, colour (left right), code and meaning, labels met in the wild
    # (without side; "fr:" marks French ones of a pair, whose side may also be G or D)
    ("Brainstem", "ORGAN", "#ffd23f", "119238007 Brain Stem", "brain stem; hirnstamm; tronc cérébral; hersenstam"),
    (
        "SpinalCord",
        "ORGAN",
        "#ff7f2a",
        "2748008 Spinal cord",
        "spinal cord; cord; myelon; rückenmark; moelle épinière; moelle; ruggenmerg; medulla spinalis",
    ),
    (
        "SpinalCanal",
        "ORGAN",
        "#d70dff",
        "61853006 Vertebral canal",
        "spinal canal; vertebral canal; spinalkanal; canal médullaire; canal rachidien; wervelkanaal",
    ),
    (
        "Parotid_{}",
        "ORGAN",
        "#2ec4f0 #3ddc5b",
        "45289007 Parotid gland",
        "parotid; parotis; fr:parotide; parot; parotid gland; gland parotid; glnd parotid; gln parotid; "
        "gl parotis; gl parotidea; glandula parotis; glandula parotidea; ohrspeicheldrüse; fr:glande parotide; "
        "oorspeekselklier",
    ),
    (
        "Bone_Mandible",
        "ORGAN",
        "#f05fd0",
        "91609006 Mandible",
        "mandible; mandibula; mandibel; mandibule; mandible bone; bone mandible; unterkiefer; onderkaak",
    ),
    ("Larynx", "ORGAN", "#9b7bff", "4596009 Larynx", "larynx; kehlkopf; strottenhoofd"),
    (
        "Esophagus",
        "ORGAN",
        "#d9a066",
        "32849002 Esophagus",
        "esophagus; oesophagus; ösophagus; oesophage; œsophage; speiseröhre; slokdarm; oesofagus; esoph; oesoph",
    ),
    (
        "Esophagus_S",
        "ORGAN",
        "#0dff0d",
        "",
        "esophagus cervical; cervical esophagus; oesophagus cervical; cervical oesophagus; esophagus cerv; "
        "esophagus s; oesophagus s; upper esophagus; esophagus upper",
    ),
    (
        "Larynx_SG",
        "ORGAN",
        "#e1ffa6",
        "119255006 supraglottis",
        "larynx sg; larynx supraglottic; supraglottic larynx; larynx supraglottis; supraglottis; supraglottic; "
        "supra glottic larynx",
    ),
    ("Glottis", "ORGAN", "#ff0d86", "1307006 glottis", "glottis; glottic larynx; larynx glottic; glottic area"),
    ("Arytenoid", "ORGAN", "#7c9e37", "", "arytenoid; arytenoids; arytenoid cartilages"),
    ("Arytenoid_{}", "ORGAN", "#0dffff #8c679e", "", "arytenoid; arytenoid cartilage"),
    (
        "Cricopharyngeus",
        "ORGAN",
        "#b85c5c",
        "",
        "cricopharyngeus; crico pharyngeus; cricopharyngeal inlet; crico pharyngeal inlet; cricopharyngeal muscle",
    ),
    ("Cricoid", "ORGAN", "#089e85", "", "cricoid; cricoid cartilage; ringknorpel"),
    ("Cartlg_Thyroid", "ORGAN", "#ff0d0d", "", "thyroid cartilage; cartilage thyroid; schildknorpel; cartilage thyroïde"),
    ("Bone_Hyoid", "ORGAN", "#ffff0d", "21387005 Hyoid bone", "hyoid; hyoid bone; zungenbein; os hyoideum; os hyoïde"),
    (
        "Cavity_Oral",
        "ORGAN",
        "#ff0dd7",
        "74262004 oral cavity",
        "oral cavity; cavity oral; oralcav; mundhöhle; cavité buccale; cavité orale; mondholte; cavum oris",
    ),
    ("BuccalMucosa", "ORGAN", "#9e8508", "16811007 buccal mucosa", "buccal mucosa; mucosa buccal; muqueuse buccale"),
    ("Lips", "ORGAN", "#d1498d", "48477009 Lip", "lips; lippen; lèvres"),
    ("Tongue", "ORGAN", "#9e9e67", "21974007 Tongue", "tongue; zunge; langue"),
    (
        "Tongue_Base",
        "ORGAN",
        "#3a9e08",
        "47975008 base of tongue",
        "base of tongue; tongue base; zungengrund; base de langue; tongbasis",
    ),
    ("Pharynx", "ORGAN", "#a6ffd2", "54066008 Pharynx", "pharynx; rachen; farynx"),
    (
        "Musc_Constrict",
        "ORGAN",
        "#08859e",
        "",
        "pharyngeal constrictor; pharyngeal constrictors; pharyngeal constrictor muscle; "
        "pharyngeal constrictor muscles; pharynx constrictor; pharynx constrictors; pharynxconst; constrictor; "
        "constrictors; constrictor muscle; constrictor muscles; pcm",
    ),
    (
        "Musc_Constrict_S",
        "ORGAN",
        "#ff9580",
        "",
        "superior pharyngeal constrictor; pharyngeal constrictor superior; superior constrictor; "
        "constrictor superior; sup constrictor; constrictor sup; pharynxconst s; pharynxconst sup; pcm sup; "
        "pcm superior; superior pcm",
    ),
    (
        "Musc_Constrict_M",
        "ORGAN",
        "#ffe1a6",
        "",
        "middle pharyngeal constrictor; pharyngeal constrictor middle; middle constrictor; constrictor middle; "
        "mid constrictor; constrictor mid; pharynxconst m; pharynxconst mid; pcm mid; pcm middle; pcm medius; "
        "middle pcm",
    ),
    (
        "Musc_Constrict_I",
        "ORGAN",
        "#d152eb",
        "",
        "inferior pharyngeal constrictor; pharyngeal constrictor inferior; inferior constrictor; "
        "constrictor inferior; inf constrictor; constrictor inf; pharynxconst i; pharynxconst inf; pcm inf; "
        "pcm inferior; inferior pcm",
    ),
    ("Trachea", "ORGAN", "#77b877", "44567001 Trachea", "trachea; luftröhre; trachée; luchtpijp"),
    (
        "Glnd_Submand_{}",
        "ORGAN",
        "#1f8fd6 #a6e22e",
        "54019009 Submandibular gland",
        "submandibular; submandibular gland; submandibular glnd; submand; submand gland; submand gl; "
        "gland submandibular; glnd submandibular; gln submand; gln submandibular; gl submand; gl submandibularis; "
        "glandula submandibularis; submandibularis; smg; submandibularisdrüse; unterkieferspeicheldrüse; "
        "fr:sous maxillaire; fr:submandibulaire; fr:glande sous maxillaire; fr:glande submandibulaire",
    ),
    (
        "Glnd_Subling_{}",
        "ORGAN",
        "#b85625 #aaff80",
        "",
        "sublingual gland; gland sublingual; subling; glandula sublingualis; fr:glande sublinguale",
    ),
    (
        "Glnd_Thyroid",
        "ORGAN",
        "#0d86ff",
        "69748006 Thyroid",
        "thyroid; thyroid gland; gland thyroid; gln thyroid; thyroidea; schilddrüse; thyroïde; glande thyroïde; "
        "schildklier; glandula thyroidea",
    ),
    (
        "Glnd_Lacrimal_{}",
        "ORGAN",
        "#a6c4ff #7559ff",
        "13561001 Lacrimal gland",
        "lacrimal; lacrimal gland; gland lacrimal; gln lacrimal; glandula lacrimalis; lachrymal gland; "
        "tränendrüse; fr:glande lacrymale; fr:lacrymale; traanklier",
    ),
    (
        "Pituitary",
        "ORGAN",
        "#a85cb8",
        "56329008 Pituitary",
        "pituitary; pituitary gland; gland pituitary; glnd pituitary; hypophysis; hypophyse; hypofyse; hirnanhangdrüse",
    ),
    (
        "OpticChiasm",
        "ORGAN",
        "#f6a6ff",
        "244453006 Optic chiasm",
        "optic chiasm; chiasm; chiasma; optic chiasma; chiasma opticum; chiasma optique; chiasme optique; "
        "chiasma opticus; chiasme; sehnervkreuzung; sehnervenkreuzung",
    ),
    (
        "OpticNrv_{}",
        "ORGAN",
        "#eb526c #0cebc5",
        "18234004 optic nerve",
        "optic nerve; optical nerve; nerve optic; opticn; optic n; optnerve; opt nerve; optnrv; n opticus; "
        "nervus opticus; nopt; n opt; sehnerv; fr:nerf optique; fr:n optique; oogzenuw; nerv optic",
    ),
    (
        "Eye_{}",
        "ORGAN",
        "#6deb2f #ff0d5e",
        "79652003 Eyeball",
        "eye; eyeball; eye ball; globe; auge; augapfel; bulbus oculi; fr:oeil; oog; oogbol; fr:globe oculaire",
    ),
    (
        "Eye_A{}",
        "ORGAN",
        "#eba00c #b8778d",
        "",
        "eye anterior; anterior eye; eye anterior segment; anterior segment eyeball; eyeball anterior segment; "
        "anterior segment of the eyeball",
    ),
    (
        "Eye_P{}",
        "ORGAN",
        "#ff0dae #697ad1",
        "",
        "eye posterior; posterior eye; eye posterior segment; posterior segment eyeball; "
        "eyeball posterior segment; posterior segment of the eyeball",
    ),
    (
        "Lens_{}",
        "ORGAN",
        "#bad149 #69d1d1",
        "78076003 Lens",
        "lens; eye lens; lens eye; linse; augenlinse; fr:cristallin; ooglens",
    ),
    ("Retina_{}", "ORGAN", "#379e48 #0dff5d", "5665001 Retina", "retina; netzhaut; fr:rétine"),
    ("Cornea_{}", "ORGAN", "#d1c069 #33ff99", "28726007 Cornea", "cornea; hornhaut; fr:cornée"),
    ("Cochlea_{}", "ORGAN", "#9e694f #98eb98", "", "cochlea; kochlea; fr:cochlée; slakkenhuis"),
    (
        "Ear_Internal_{}",
        "ORGAN",
        "#ffc3a6 #ffff80",
        "22945000 Inner ear",
        "inner ear; ear inner; internal ear; innenohr; fr:oreille interne; binnenoor",
    ),
    (
        "Ear_Middle_{}",
        "ORGAN",
        "#ffac59 #aeff0d",
        "25342003 Middle ear",
        "middle ear; mid ear; ear mid; mittelohr; fr:oreille moyenne; middenoor",
    ),
    (
        "A_Carotid_{}",
        "ORGAN",
        "#d14d0a #b5a6ff",
        "69105007 Carotid Artery",
        "carotid; carotid artery; artery carotid; carotid a; carotis; a carotis; arteria carotis; karotis; "
        "fr:carotide; fr:artère carotide; halsslagader",
    ),
    (
        "Joint_TM_{}",
        "ORGAN",
        "#7782b8 #ea80ff",
        "53620006 Temporomandibular joint",
        "tmj; tm joint; temporomandibular joint; temporo mandibular joint; kiefergelenk; fr:atm; "
        "fr:articulation temporo mandibulaire; kaakgewricht",
    ),
    (
        "Lobe_Temporal_{}",
        "ORGAN",
        "#eb6c52 #d1d10a",
        "78277001 Temporal lobe",
        "temporal lobe; temporal lobes; lobe temporal; temporallappen; fr:lobe temporal; temporaalkwab",
    ),
    ("Hippocampus_{}", "ORGAN", "#d10ab0 #e3ff59", "5366008 Hippocampus", "hippocampus; hippocampi; fr:hippocampe"),
    (
        "BrachialPlex_{}",
        "ORGAN",
        "#09b809 #69d1ae",
        "36582005 Brachial plexus",
        "brachial plexus; plexus brachialis; brach plexus; brach plex; brachial plex; brachialplexus; "
        "fr:plexus brachial; armplexus",
    ),
    (
        "Brain",
        "ORGAN",
        "#679e79",
        "12738006 Brain",
        "brain; whole brain; brain whole; hirn; gehirn; cerveau; encéphale; hersenen",
    ),
    ("Cerebellum", "ORGAN", "#b840b8", "113305005 Cerebellum", "cerebellum; kleinhirn; cervelet; kleine hersenen"),
    ("CaudaEquina", "ORGAN", "#ff8095", "", "cauda equina; cauda; queue de cheval"),
    ("Lung_{}", "ORGAN", "#ac2feb #9dd169", "39607008 Lung", "lung; lunge; fr:poumon; long; pulmo"),
    ("Heart", "ORGAN", "#eb75c4", "80891009 Heart", "heart; herz; coeur; cœur; hart"),
    ("Liver", "ORGAN", "#b9d188", "10200004 Liver", "liver; leber; foie; lever"),
    ("Stomach", "ORGAN", "#33ffbb", "69695003 Stomach", "stomach; magen; estomac; maag"),
    ("Spleen", "ORGAN", "#379e9e", "78961009 Spleen", "spleen; milz; rate; milt"),
    ("Kidney_{}", "ORGAN", "#d12a99 #76d149", "64033007 Kidney", "kidney; niere; fr:rein; nier"),
    ("Prostate", "ORGAN", "#ff4d4d", "41216001 Prostate", "prostate; prostata; prostaat; prostate gland"),
    (
        "SeminalVes",
        "ORGAN",
        "#ff9ecb",
        "64739004 Seminal Vesicle",
        "seminal vesicles; seminal vesicle; seminalvesicle; seminalvesicles; seminal ves; sem ves; semves; "
        "sem vesicles; vesicles seminal; samenblasen; samenblase; vésicules séminales; vesiculae seminales; "
        "zaadblaasjes; zaadblazen",
    ),
    (
        "Bladder",
        "ORGAN",
        "#ffe14d",
        "89837001 Bladder",
        "bladder; urinary bladder; bladder urinary; blase; harnblase; vessie; blaas",
    ),
    ("Rectum", "ORGAN", "#c98a4b", "34402009 Rectum", "rectum; rektum; endeldarm"),
    ("Canal_Anal", "ORGAN", "#d188c5", "", "anal canal; canal anal; analkanal; anaal kanaal; anuskanaal"),
    ("Anus", "ORGAN", "#eb9898", "53505006 Anus", "anus"),
    ("Urethra", "ORGAN", "#b85c8a", "13648007 Urethra", "urethra; harnröhre; urètre; plasbuis"),
    (
        "PenileBulb",
        "ORGAN",
        "#b48cff",
        "",
        "penile bulb; bulb penile; bulb penis; penis bulb; bulb of penis; bulbus penis; penisbulbus; "
        "bulbe pénien; bulbe du pénis",
    ),
    ("Testis_{}", "ORGAN", "#ff5d0d #9e6c08", "40689003 Testis", "testis; testicle; hoden; fr:testicule; testikel"),
    ("Femur_{}", "ORGAN", "#ff9059 #526ceb", "71341001 Femur", "femur; fr:fémur; oberschenkelknochen; dijbeen"),
    (
        "Femur_Head_{}",
        "ORGAN",
        "#4da6ff #2fd07a",
        "2812003 Femoral head",
        "femoral head; head femoral; femoralhead; femur head; head of femur; head femur; fem head; femhead; "
        "hüftkopf; femurkopf; caput femoris; fr:tête fémorale; fr:tête de fémur; heupkop; femurkop",
    ),
    ("Bowel", "ORGAN", "#ff33ff", "", "bowel; bowels; darm; intestin; intestines"),
    ("Bag_Bowel", "ORGAN", "#ff5991", "", "bowel bag; bag bowel; bowel sack; darmsack"),
    ("Spc_Bowel", "ORGAN", "#7db809", "", "bowel space; space bowel"),
    (
        "Bowel_Small",
        "ORGAN",
        "#ff0d35",
        "30315005 Small intestine",
        "small bowel; bowel small; small intestine; dünndarm; intestin grêle; grêle; dunne darm",
    ),
    (
        "Bowel_Large",
        "ORGAN",
        "#9e9e08",
        "14742008 Large intestine",
        "large bowel; bowel large; large intestine; dickdarm; gros intestin; dikke darm",
    ),
    ("Colon", "ORGAN", "#d17d2a", "71854001 Colon", "colon; kolon; côlon"),
    (
        "Colon_Sigmoid",
        "ORGAN",
        "#d1a449",
        "60184004 Sigmoid colon",
        "sigmoid colon; colon sigmoid; sigmoid; sigma; sigmoïde; sigmoid bowel",
    ),
    (
        "Bone_Pelvic",
        "ORGAN",
        "#09b87d",
        "",
        "pelvic bone; pelvic bones; bone pelvic; bones pelvic; bony pelvis; pelvis bone; pelvis bones; "
        "beckenknochen; os du bassin",
    ),
    ("Sacrum", "ORGAN", "#d7ff0d", "54735007 Sacrum", "sacrum; kreuzbein; heiligbeen"),
    ("SacralPlex", "ORGAN", "#d10ad1", "", "sacral plexus; sacral plex; plexus sacral; plexus sacralis; plexus sacré"),
    (
        "External",
        "EXTERNAL",
        "#9fc7b0",
        "",
        "external; body; body contour; outer contour; external contour; patient contour; aussenkontur; "
        "äussere kontur; körper; contour externe",
    ),
    ("CouchSurface", "SUPPORT", "#a6fff0", "", "couch surface; couch outer shell"),
    ("CouchInterior", "SUPPORT", "#d1b988", "", "couch interior; couch inner"),
)
