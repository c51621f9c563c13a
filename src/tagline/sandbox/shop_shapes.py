"""Every kind of record of the shop: fields, types and lengths. Source: 3dcart notes, sections 5 to 7."""

from __future__ import annotations

from typing import Final

from tagline.sandbox.shop_fields import ITEM, LENGTHS, ORDER, QUESTION, SHIPMENT, TRANSACTION
from tagline.sandbox.shop_shape import shape, shape_of

SHIPMENTS: Final = shape_of(
    "Shipment", "ShipmentID", SHIPMENT, lengths=LENGTHS, computed="ShipmentID ShipmentLastUpdate"
)
ITEMS: Final = shape_of(
    "OrderItem",
    "ItemIndexID",
    ITEM,
    lengths=LENGTHS,
    computed="ItemIndexID ItemUnitStock",
    times="ItemDateAdded",
)
TRANSACTIONS: Final = shape_of(
    "Transaction",
    "TransactionIndexID",
    TRANSACTION,
    lengths=LENGTHS,
    computed="TransactionIndexID OrderID",
    times="TransactionDateTime",
)
QUESTIONS: Final = shape_of(
    "Question", "QuestionAnswerIndexID", QUESTION, lengths=LENGTHS, computed="QuestionAnswerIndexID OrderID"
)
PROMOTIONS: Final = shape(
    "Promotion", "PromotionID", "PromotionID i, PromotionName s150, Coupon s50, DiscountAmount d"
)
ORDERS: Final = shape_of(
    "Order",
    "OrderID",
    ORDER,
    lengths=LENGTHS,
    computed="OrderID LastUpdate OrderDiscount OrderAmount ContinueURL UserID",
    times="OrderDate",
    ShipmentList=SHIPMENTS,
    OrderItemList=ITEMS,
    TransactionList=TRANSACTIONS,
    QuestionList=QUESTIONS,
    PromotionList=PROMOTIONS,
)
STATUS: Final = shape(
    "OrderStatus",
    "OrderStatusID",
    "OrderStatusID i, Sorting i, StatusDefinition s50, StatusText s50, Visible b",
)

SKU_INFO: Final = shape(
    "SKUInfo",
    "CatalogID",
    "CatalogID i!, SKU s255, Name s255, Cost d, Price d, Currency s, RetailPrice d, SalePrice d, OnSale b, Stock d",
)
ADVANCED_OPTIONS: Final = shape(
    "AdvancedOption",
    "AdvancedOptionCode",
    "AdvancedOptionCode s50, AdvancedOptionSufix s50, AdvancedOptionName s, AdvancedOptionCost d,"
    "AdvancedOptionStock i, AdvancedOptionWeight d, AdvancedOptionPrice d, AdvancedOptionGTIN s50",
)
OPTIONS: Final = shape(
    "Option",
    "OptionID",
    "OptionID i!, OptionName s, OptionSelected b, OptionHide b, OptionValue d, OptionPartNumber s, OptionSorting i,"
    "OptionImagePath s, OptionBundleCatalogId i, OptionBundleQuantity i",
)
OPTION_SETS: Final = shape(
    "OptionSet",
    "OptionSetID",
    "OptionSetID i!, OptionSetName s, OptionSorting i, OptionRequired b, OptionType s10, OptionURL s,"
    "OptionAdditionalInformation s, OptionSizeLimit i, OptionList []",
    OptionList=OPTIONS,
)
FEATURES: Final = shape("Feature", "FeatureID", "FeatureID i!, FeatureTitle s, FeatureDescription s")
IMAGES: Final = shape(
    "ImageGallery",
    "ImageGalleryID",
    "ImageGalleryID i!, ImageGalleryFile s, ImageGalleryCaption s, ImageGallerySorting i",
)
RELATED: Final = shape(
    "RelatedProduct", "RelatedIndexID", "RelatedIndexID i!, RelatedProductID i, RelatedProductSorting i"
)
UPSELLING: Final = shape(
    "UpSellingItem", "UpSellingIndexID", "UpSellingIndexID i!, UpSellingItemID i, UpSellingItemSorting i"
)
DISCOUNTS: Final = shape(
    "Discount",
    "DiscountID",
    "DiscountID i!, DiscountPriceLevel i, DiscountLowbound i, DiscountUpbound i, DiscountPrice d, DiscountPercentage b",
)
SERIALS: Final = shape("Serial", "SerialID", "SerialID i!, SerialUses i, SerialCode s")
EPRODUCTS: Final = shape("EProduct", "FileNumber", "FileNumber i!, FilePath s")
CATEGORY_NAMES: Final = shape("Category", "CategoryID", "CategoryID i, CategoryName s150")
DISTRIBUTOR_ITEMS: Final = shape(
    "Distributor",
    "DistributorID",
    "DistributorID i, DistributorName s50, DistributorItemCost d, DistributorItemID s50, DistributorStockID s50",
)
EXTERNAL_IDS: Final = shape(
    "ExternalIds", "ID", "ID i, AdvancedOptionSufix s, ExternalId1 s, ExternalId2 s, ExternalIdType s"
)

PRODUCTS: Final = shape(
    "Product",
    "CatalogID",
    "SKUInfo {}, MFGID s50, ShortDescription s, ManufacturerID i, ManufacturerName s50, DistributorList [],"
    "LastUpdate t!, UserID s?!, GTIN s50, CategoryList [], ExternalIdsList [], CategoryExternalIdsList [],"
    "NonTaxable b, NotForSale b, Hide b, GiftCertificate b, HomeSpecial b, CategorySpecial b, NonSearchable b,"
    "GiftWrapItem b, ShipCost d, Weight d, Height d, Width d, Depth d, SelfShip b, FreeShipping b, RewardPoints i,"
    "RedeemPoints i, DisableRewards b, StockAlert i, ReorderQuantity i, InStockMessage s150, OutOfStockMessage s150,"
    "BackOrderMessage s150, InventoryControl i, WarehouseLocation s150, WarehouseBin s150, WarehouseAisle s150,"
    "WarehouseCustom s150, Description s, Keywords s, ExtraField1 s150, ExtraField2 s150, ExtraField3 s150,"
    "ExtraField4 s150, ExtraField5 s150, ExtraField6 s, ExtraField7 s, ExtraField8 s, ExtraField9 s, ExtraField10 s,"
    "ExtraField11 s, ExtraField12 s, ExtraField13 s, FeatureList [], MainImageFile s, MainImageCaption s,"
    "ThumbnailFile s, MediaFile s, AdditionalImageFile2 s, AdditionalImageFile3 s, AdditionalImageFile4 s,"
    "AdditionalImageCaption2 s, AdditionalImageCaption3 s, AdditionalImageCaption4 s, ImageGalleryList [],"
    "OptionSetList [], AdvancedOptionList [], RelatedProductList [], UpSellingItemList [], DiscountList [],"
    "DoNotUseCategoryOptions b, DateCreated t, ListingTemplateID i, ListingTemplateName s,"
    "LoginRequiredOptionID i?, LoginRequiredOptionName s, LoginRequiredOptionRedirectTo s,"
    "AllowAccessCustomerGroupID i?, AllowAccessCustomerGroupName s?, RMAMaxPeriod s, CanonicalUrl s, TaxCode s,"
    "DisplayText s, MinimumQuantity d, MaximumQuantity d, AllowOnlyMultiples b, AllowFractionalQuantity b,"
    "QuantityOptions s, GroupOptionsForQuantityPricing b, ApplyQuantityDiscountToOptions b,"
    "EnableMakeAnOfferFeature b, MinimumAcceptableOffer s, PriceLevel1 d, PriceLevel1Hide b, PriceLevel2 d,"
    "PriceLevel2Hide b, PriceLevel3 d, PriceLevel3Hide b, PriceLevel4 d, PriceLevel4Hide b, PriceLevel5 d,"
    "PriceLevel5Hide b, PriceLevel6 d, PriceLevel6Hide b, PriceLevel7 d, PriceLevel7Hide b, PriceLevel8 d,"
    "PriceLevel8Hide b, PriceLevel9 d, PriceLevel9Hide b, PriceLevel10 d, PriceLevel10Hide b, BuyButtonLink s,"
    "ProductLink s!, Title s, CustomFileName s, RedirectLink s, MetaTags s, SpecialInstructions s, AssignKey b,"
    "ReUseKeys b, SerialList [], EProductList [], SampleEnable b, SampleName s, SampleSKUPrefix s, SamplePrice d,"
    "SampleWeight d, ReviewAverage d!, ReviewCount i!, PluginList {}",
    SKUInfo=SKU_INFO,
    DistributorList=DISTRIBUTOR_ITEMS,
    CategoryList=CATEGORY_NAMES,
    ExternalIdsList=EXTERNAL_IDS,
    FeatureList=FEATURES,
    ImageGalleryList=IMAGES,
    OptionSetList=OPTION_SETS,
    AdvancedOptionList=ADVANCED_OPTIONS,
    RelatedProductList=RELATED,
    UpSellingItemList=UPSELLING,
    DiscountList=DISCOUNTS,
    SerialList=SERIALS,
    EProductList=EPRODUCTS,
)

CUSTOMERS: Final = shape(
    "Customer",
    "CustomerID",
    "CustomerID i!, Email s100, Password s50, BillingCompany s255, BillingFirstName s50, BillingLastName s50,"
    "BillingAddress1 s255, BillingAddress2 s50, BillingCity s, BillingState s100, BillingZipCode s20,"
    "BillingCountry s100, BillingPhoneNumber s50, BillingTaxID s?, ShippingCompany s255, ShippingFirstName s50,"
    "ShippingLastName s50, ShippingAddress1 s255, ShippingAddress2 s50, ShippingCity s, ShippingState s100,"
    "ShippingZipCode s20, ShippingCountry s100, ShippingPhoneNumber s50, ShippingAddressType i, CustomerGroupID i,"
    "Enabled b, MailList b, NonTaxable b, DisableBillingSameAsShipping b, Comments s255, AdditionalField1 s,"
    "AdditionalField2 s, AdditionalField3 s, TotalStoreCredit d, ResetPassword b",
)
CUSTOMER_GROUPS: Final = shape(
    "CustomerGroup",
    "CustomerGroupID",
    "CustomerGroupID i!, Name s150, Description s, MinimumOrder d, NonTaxable b, AllowRegistration b,"
    "DisableRewardPoints b, AutoApprove b, RegistrationMessage s, PriceLevel i",
)
CATEGORIES: Final = shape(
    "Category",
    "CategoryID",
    "CategoryID i!, CategoryName s150, Link s, CategoryDescription s, CategoryIcon s, CategoryMain b,"
    "CategoryParent i, Sorting i, Hide b, UserID s!, LastUpdate t!, CategoryMenuGroup i, HomeSpecialCategory b,"
    "FilterCategory b, TemplateCategoryPage i, DefaultProductsSorting i, SubcategoryColumnsCategorySpecials i,"
    "ProductColumnsCategorySpecials i, ProductColumnsCategoryGeneralItems i, ItemsPerPageCategorySpecialItems i,"
    "ItemsPerPageCategoryGeneralItems i, DisplayTypeCategorySpecialItems i, DisplayTypeCategoryGeneralProducts i,"
    "AllowAccess s, OnFailRedirectTo s, HideLeftBar b, HideRightBar b, HideTopMenu b, SmartCategories i,"
    "SmartCategoriesSearchKeyword s, SmartCategoriesLinkTarget s, TemplateProductPage i,"
    "ProductColumnsRelatedProducts i, ProductColumnsUpsellProducts i, DisplayTypeRelatedItems i,"
    "DisplayTypeUpsellItems i, OptionSetList [], Title s, CustomFileName s, MetaTags s, CategoryHeader s,"
    "CategoryFooter s, AdditionalKeywords s, CategoryExternalIdsList []",
    OptionSetList=OPTION_SETS,
)
MANUFACTURERS: Final = shape(
    "Manufacturer",
    "ManufacturerID",
    "ManufacturerID i!, ManufacturerName s50, Logo s, Sorting i, Header s, Website s50, UserID s!, LastUpdate t!,"
    "PageTitle s150, MetaTags s, RedirectURL s, FileName s",
)
DISTRIBUTORS: Final = shape(
    "Distributor",
    "DistributorID",
    "DistributorID i!, CompanyName s50, ContactName s50, Address s50, Address2 s50, City s50, State s50, Zip s50,"
    "Country s50, Phone s50, Fax s50, Email s50, Comments s, NotifyOnNewOrder b, NotifyOnNewOrderEmailSubject s,"
    "NotifyOnNewOrderEmailMessage s, UserID s!, LastUpdate t!, IsDropShipper b, NotifyOnCancelledOrder b,"
    "NotifyOnCancelledOrderEmailSubject s, NotifyOnCancelledOrderEmailMessage s, POStyle i, POEmailNotification b,"
    "POShippingInfo s, POPaymentInfo s, POAdditionalNotes s, POEmailSubject s",
)
RMA_ITEMS: Final = shape(
    "RMAItem",
    "CatalogID",
    "CatalogID i, SKU s, ItemName s, ReturnQuantity i, ReceivedQuantity i, RestockQuantity i",
)
RMAS: Final = shape(
    "RMA",
    "RMAID",
    "RMAID i!, RmaDate t, OrderID i, RMAReasonID i, RMAMethodID i, RMAStatusID i, Comments s, InternalComments s,"
    "StaffComments s, RMAItemList []",
    RMAItemList=RMA_ITEMS,
)
WEBHOOKS: Final = shape(
    "Webhook",
    "Id",
    "Id i!, Name s80, Url s1000, EventType i, DateCreated t!, DateUpdated t!, Format s, Enabled b",
)
