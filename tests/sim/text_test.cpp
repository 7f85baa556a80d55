// The gateway models' own readers of text messages and of XML.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "sim/message_text.hpp"
#include "sim/xml_text.hpp"

namespace damson::sim {
namespace {

TEST(message_text, is_read_and_written) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\nbody\r\n";
  const auto message = read_message(text);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->start_line, "GET / HTTP/1.1");
  EXPECT_EQ(*message->field("HOST"), "a");
  EXPECT_EQ(*message->field("x"), "");
  EXPECT_EQ(message->field("y"), nullptr);
  EXPECT_EQ(message->body, "body\r\n");
  EXPECT_EQ(message->text(), text);
  EXPECT_EQ(message->text({message_style::letters::capitalised, false, false, true}),
            "GET / HTTP/1.1\nHost:a\nX:\n\nbody\r\n");
}

TEST(message_text, is_read_strictly) {
  for (const std::string_view bad :
       {"", "\r\n\r\n", "A\r\n", "A\r\nB: c\r\n", "A\n\n", "A\r\nB\r\n\r\n", "A\r\nB : c\r\n\r\n",
        "A\r\n: c\r\n\r\n", "A\r\nB: c\r\n d\r\n\r\n", "A\r\nB: c\rd\r\n\r\n"}) {
    EXPECT_FALSE(read_message(bad)) << bad;
  }
  EXPECT_FALSE(read_message(std::string_view{"A\r\nB: \0\r\n\r\n", 10}));
  EXPECT_TRUE(read_message("A\r\n\r\n"));
}

TEST(message_text, reads_numbers_of_digits_only) {
  EXPECT_EQ(read_decimal("65535", 65'535), 65'535U);
  for (const std::string_view bad : {"", "65536", "-1", "+1", " 1", "1 ", "0x1", "4294967296"}) {
    EXPECT_FALSE(read_decimal(bad, 65'535)) << bad;
  }
}

TEST(xml_text, resolves_namespaces) {
  const auto root = read_xml(
      "<?xml version='1.0'?>\r\n<!-- a --><a:x xmlns:a='urn:1' k=\"&lt;\"><y>1<!-- b -->2</y>"
      "<y xmlns='urn:2'><a:z/><z xmlns=''/></y></a:x>\n",
      xml_entities::all);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->space, "urn:1");
  EXPECT_EQ(root->name, "x");
  EXPECT_EQ(*root->attribute("k"), "<");
  ASSERT_EQ(root->children.size(), 2U);
  EXPECT_EQ(root->children[0].space, "");
  EXPECT_EQ(root->children[0].text, "12");
  EXPECT_EQ(root->children[1].space, "urn:2");
  EXPECT_EQ(root->children[1].children.at(0).space, "urn:1");
  EXPECT_EQ(root->children[1].children.at(1).space, "");
  EXPECT_FALSE(root->padded);
}

TEST(xml_text, decodes_entities_and_cdata) {
  const auto text = [](std::string_view xml) {
    const auto root = read_xml(xml, xml_entities::all);
    return root ? root->text : "(none)";
  };
  EXPECT_EQ(text("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;</a>"), "<>&\"'AB");
  EXPECT_EQ(text("<a>&#xe4;&#x20ac;&#x1f600;</a>"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(text("<a><![CDATA[<&]]>x</a>"), "<&x");
  for (const std::string_view bad :
       {"<a>&nbsp;</a>", "<a>&amp</a>", "<a>&#0;</a>", "<a>&#x110000;</a>", "<a>&#;</a>"}) {
    EXPECT_EQ(text(bad), "(none)") << bad;
  }
  EXPECT_FALSE(read_xml("<a>&quot;</a>", xml_entities::three));
}

TEST(xml_text, is_read_strictly) {
  for (const std::string_view bad :
       {"", "x", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b/>", "<a b=c/>", "<a b='1'c='2'/>",
        "<a b='1' b='2'/>", "<p:a/>", "<!DOCTYPE a><a/>", "<a><?pi?></a>", "<1/>", "<a:/>",
        "<a b='<'/>", "<a>]]></a>", "<a><!-- </a>", "< a/>"}) {
    EXPECT_FALSE(read_xml(bad, xml_entities::all)) << bad;
  }
  std::string deep;
  for (int i = 0; i < 16; ++i) deep = std::string("<a>").append(deep).append("</a>");
  EXPECT_TRUE(read_xml(deep, xml_entities::all));
  EXPECT_FALSE(read_xml("<a>" + deep + "</a>", xml_entities::all));
  EXPECT_TRUE(read_xml("<a> <b/></a>", xml_entities::all)->padded);
}

TEST(xml_text, is_escaped) { EXPECT_EQ(xml_escaped("<a>&\"'"), "&lt;a&gt;&amp;\"'"); }

}  // namespace
}  // namespace damson::sim
